import HTTPServer
import Ingest
import Primitives
import Storage
import Telemetry

/// `DELETE /events`: erases for good, as a law or a mistake may demand. `GET /admin/erasures` says how
/// far that is.
struct ErasureRoutes: Sendable {
    private static let conditions = ["type", "source", "subject", "from", "to"]

    let erasures: EventErasures
    let store: EventStore
    let readers: WorkerRoute
    let log: Logger

    func register(on router: inout Router) {
        router.on(
            .delete, "/events", access: .admin, bodyLimit: .none,
            readers.handler { (request) throws(Problem) in try erase(request) })
        router.on(
            .get, "/admin/erasures", access: .admin, bodyLimit: .none,
            readers.handler { (request) throws(Problem) in try list(request) })
    }

    // MARK: DELETE /events

    private func erase(_ request: Request) throws(Problem) -> WorkerRoute.Job {
        var filter = EventFilter()
        var isDryRun = false
        var given: [String] = []
        let now = WallClock.nowMilliseconds()
        for parameter in try request.checkedParameters(
            ErasureRoutes.conditions + ["dry_run"], lists: ["type"])
        {
            let value = parameter.value
            switch parameter.name {
            case "type": filter.types = try EventRoutes.types(parameter)
            case "source": filter.sources = [value]
            case "subject": filter.subjects = [value]
            case "from": filter.from = try parameter.moment(now: now)
            case "to": filter.to = try parameter.moment(now: now)
            default:
                guard value == "1" || value == "0" else {
                    throw .parameter("dry_run", "dry_run is 1 or 0.")
                }
                isDryRun = value == "1"
                continue
            }
            given.append(parameter.name)
        }
        if let from = filter.from, let to = filter.to, from >= to {
            throw .parameter("from", "from must be before to.")
        }
        guard !given.isEmpty else {
            throw Problem(
                400, "missing_condition",
                "Name at least one of \(ErasureRoutes.conditions.joined(separator: ", ")).")
        }
        filter.types = try request.permittedTypes(
            filter.types, parameter: "type", limit: EventStore.typeLimit)
        let (wanted, conditions) = (filter, given.joined(separator: ","))
        if isDryRun {
            return { [store] call throws(Problem) in
                try ErasureRoutes.count(wanted, store, call.deadline)
            }
        }
        return { call throws(Problem) in try order(wanted, conditions, call) }
    }

    private static func count(
        _ filter: EventFilter, _ store: EventStore, _ deadline: Deadline
    ) throws(Problem) -> Response {
        do throws(StorageError) {
            let count = try store.count(filter, deadline: deadline)
            var body = JSONObjectWriter()
            body.add("dry_run", true)
            body.add("matched", count)
            return .json(200, body.finish())
        } catch {
            throw Problem(error)
        }
    }

    private func order(
        _ filter: EventFilter, _ conditions: String, _ call: WorkerCall
    ) throws(Problem) -> Response {
        guard
            let erasure = erasures.order(
                filter, conditions: conditions, deadline: call.deadline)
        else {
            throw Problem(
                503, "store_busy",
                "The store did not begin with it in time; it may do so yet, which "
                    + "/admin/erasures shows.")
        }
        log.notice("audit: erasure of events ordered") {
            $0.add("key", call.request.principal.name)
            $0.add("request_id", call.request.id.text)
            $0.add("erasure", erasure.id)
            $0.add("conditions", conditions)
        }
        var body = JSONObjectWriter()
        ErasureRoutes.add(erasure, to: &body)
        return .json(202, body.finish())
    }

    // MARK: GET /admin/erasures

    private func list(_ request: Request) throws(Problem) -> WorkerRoute.Job {
        var limit = 100
        for parameter in try request.checkedParameters(["limit"]) {
            limit = try parameter.limit()
        }
        return { [erasures, store, limit] _ throws(Problem) in
            var body = JSONObjectWriter()
            body.array("erasures", of: Array(store.erasures.erasures.prefix(limit))) {
                ErasureRoutes.add($1, to: &$0)
            }
            body.add("not_searched", erasures.filesNotSearched)
            return .json(200, body.finish())
        }
    }

    private static func add(_ erasure: Erasure, to body: inout JSONObjectWriter) {
        body.add("id", erasure.id)
        body.add("state", erasure.stage == .finished ? "finished" : "running")
        if erasure.stage == .finished {
            body.addNull("stage")
        } else {
            body.add("stage", erasure.stage.name)
        }
        body.add("requested", Timestamp.format(erasure.requested))
        if let finished = erasure.finished {
            body.add("finished", Timestamp.format(finished))
        } else {
            body.addNull("finished")
        }
        body.add("node", erasure.node)
        body.add("conditions", erasure.conditions.split(separator: ",").map(String.init))
        body.add("events", erasure.events)
        body.add("quarantined", erasure.quarantined)
        body.add("dead_letters", erasure.deadLetters)
    }
}

extension Erasure.Stage {
    /// As it is shown.
    fileprivate var name: String {
        switch self {
        case .rows: "rows"
        case .quarantine: "quarantine"
        case .deadLetters: "dead_letters"
        case .names: "names"
        case .copies: "copies"
        case .finished: "finished"
        }
    }
}
