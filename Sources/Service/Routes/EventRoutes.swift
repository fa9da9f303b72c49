import HTTPServer
import Primitives
import Query
import Storage
import Telemetry

/// `GET /events` and `GET /events/quarantine`.
struct EventRoutes: Sendable {
    private static let defaultLimit = 100

    let store: EventStore
    let readers: WorkerRoute
    let log: Logger

    func register(on router: inout Router) {
        router.on(
            .get, "/events", access: .eventsRead, bodyLimit: .none,
            readers.handler { (request) throws(Problem) in try list(request) })
        registerQuarantine(on: &router)
    }

    /// The quarantine alone: what a worker answers too, whose store sets aside what the streams
    /// bring and is no event.
    func registerQuarantine(on router: inout Router) {
        router.on(
            .get, "/events/quarantine", access: .admin, bodyLimit: .none,
            readers.handler { (request) throws(Problem) in try listQuarantine(request) })
    }

    private func job(
        _ ask: @escaping @Sendable (Deadline) throws(StorageError) -> Response
    ) -> WorkerRoute.Job {
        WorkerRoute.job("events cannot be read", to: log, ask)
    }

    // MARK: GET /events

    private func list(_ request: Request) throws(Problem) -> WorkerRoute.Job {
        var filter = EventFilter()
        var limit = EventRoutes.defaultLimit
        var cursor: EventCursor?
        let now = WallClock.nowMilliseconds()
        for parameter in try request.checkedParameters(
            ["type", "subject", "source", "from", "to", "limit", "cursor"], lists: ["type"])
        {
            let value = parameter.value
            switch parameter.name {
            case "type": filter.types = try EventRoutes.types(parameter)
            case "subject": filter.subjects = [value]
            case "source": filter.sources = URIReference.origins(of: value)
            case "from": filter.from = try parameter.moment(now: now)
            case "to": filter.to = try parameter.moment(now: now)
            case "limit": limit = try parameter.limit()
            default:
                guard let parsed = EventCursor(text: value) else { throw .badCursor }
                cursor = parsed
            }
        }
        if let from = filter.from, let to = filter.to, from >= to {
            throw .parameter("from", "from must be before to.")
        }
        filter.types = try request.permittedTypes(
            filter.types, parameter: "type", limit: EventStore.typeLimit)
        let (wanted, start, count, store) = (filter, cursor, limit, store)
        return job { deadline throws(StorageError) in
            let page = try store.events(wanted, before: start, limit: count, deadline: deadline)
            if let start, !store.gaveOut(start), let next = page.next, !next.isBelow(start) {
                return Problem.foreignCursor.response(for: request)
            }
            return .page("events", page.events, next: page.next?.text) { event, body in
                body.append(cloudEvent: event)
            }
        }
    }

    // MARK: GET /events/quarantine

    private func listQuarantine(_ request: Request) throws(Problem) -> WorkerRoute.Job {
        var limit = EventRoutes.defaultLimit
        var before: Int64?
        for parameter in try request.checkedParameters(["limit", "cursor"]) {
            if parameter.name == "limit" {
                limit = try parameter.limit()
            } else {
                before = try parameter.seqCursor()
            }
        }
        let (start, count, store) = (before, limit, store)
        return job { deadline throws(StorageError) in
            let rows = try store.quarantined(before: start, limit: count + 1, deadline: deadline)
            return .page(
                "events", rows, limit: count, number: { $0.seq }, EventRoutes.append)
        }
    }

    private static func append(_ row: QuarantinedEvent, _ body: inout ByteBuffer) {
        body.append(#"{"seq":"#)
        body.append(decimal: row.seq)
        body.append(#","received":""#)
        body.append(timestamp: row.received)
        body.append(#"","code":"#)
        body.append(jsonString: row.code)
        body.append(#","detail":"#)
        body.append(jsonString: row.detail)
        body.append(#","content_type":"#)
        body.append(jsonString: row.contentType)
        body.append(#","bytes":"#)
        body.append(decimal: row.rawBytes)
        body.append(#","replayed":"#)
        body.append(jsonStringOrNull: row.replayed.map(Timestamp.format))
        body.append(#","stream_entry":"#)
        body.append(jsonStringOrNull: row.streamEntry)
        // The preview is JSON with every value masked.
        body.append(#","preview":"#)
        body.append(row.preview.isEmpty ? "null" : row.preview)
        body.append("}")
    }

    // MARK: Parameters

    static func types(_ parameter: Parameter) throws(Problem) -> [String] {
        let types = parameter.elements
        guard types.count <= EventStore.typeLimit,
            types.allSatisfy({ (1...255).contains($0.utf8.count) })
        else {
            throw .parameter(
                "type", "type is a comma list of at most \(EventStore.typeLimit) event types.")
        }
        return types
    }
}

extension Problem {
    static let badCursor = Problem.parameter(
        "cursor", "cursor is not one that this endpoint gave out.")

    /// A page that began with another node's cursor is full of events of that cursor's millisecond.
    /// A client that asked one node after the other would get them again and again.
    static let foreignCursor = Problem(
        400, "foreign_cursor",
        "cursor is of another node, and more events than limit are of its millisecond: ask that "
            + "node, ask for more at once, or begin with to=.", parameter: "cursor")

    init(_ error: StorageError) {
        switch error.code {
        case .busy: self.init(503, "store_busy", "The store is busy.")
        case .deadline:
            self.init(503, "query_timeout", "The store did not answer in time.")
        case .closed: self.init(503, "shutting_down", "The service is shutting down.")
        default: self.init(503, "store_unavailable", "The store could not answer.")
        }
    }
}
