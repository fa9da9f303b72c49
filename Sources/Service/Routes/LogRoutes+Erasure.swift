import HTTPServer
import Logs
import Primitives
import Storage
import Telemetry

/// `DELETE /logs`: erases for good, as a law or a mistake may demand.
extension LogRoutes {
    func erase(_ request: Request) throws(Problem) -> WorkerRoute.Job {
        var filters = LogFilterParameters()
        var isDryRun = false
        for parameter in try request.checkedParameters(
            LogFilterParameters.names + ["dry_run"], lists: LogFilterParameters.lists)
        {
            if try filters.take(parameter) { continue }
            guard parameter.value == "1" || parameter.value == "0" else {
                throw .parameter("dry_run", "dry_run is 1 or 0.")
            }
            isDryRun = parameter.value == "1"
        }
        let filter = try filters.checked()
        guard !filters.isQueryBlank else {
            throw .parameter("q", "q must hold a word where logs are erased.")
        }
        guard !filter.isOpen || filter.from != nil || filter.to != nil else {
            throw Problem(
                400, "missing_condition",
                "Name at least one of \(LogFilterParameters.names.joined(separator: ", ")).")
        }
        let conditions = filters.given.joined(separator: ",")
        if isDryRun {
            return { [store, forwards] call throws(Problem) in
                do throws(StorageError) {
                    let count = try store.count(filter, deadline: call.deadline)
                    var body = JSONObjectWriter()
                    body.add("dry_run", true)
                    body.add("matched", count)
                    body.add("set_aside", store.setAside(filter))
                    body.add("forwards_waiting", forwards.waitingRecords)
                    return .json(200, body.finish())
                } catch {
                    throw Problem(error)
                }
            }
        }
        return { call throws(Problem) in try erase(filter, conditions, call) }
    }

    private func erase(
        _ filter: LogFilter, _ conditions: String, _ call: WorkerCall
    ) throws(Problem) -> Response {
        let outcome = Monitor<Result<LogErasure, StorageError>?>(nil)
        let (log, tail, key) = (log, tail, call.request.principal.name)
        let requestID = call.request.id.text
        let isQueued = store.erase(filter) { result in
            // What was erased is not sent to anybody any more.
            tail.source.forget()
            switch result {
            case .success(let erasure):
                log.notice("audit: logs erased") {
                    $0.add("key", key)
                    $0.add("request_id", requestID)
                    $0.add("conditions", conditions)
                    $0.add("records", erasure.records)
                    $0.add("days", erasure.days)
                    $0.add("set_aside", erasure.setAside)
                }
            case .failure(let error):
                log.error("audit: logs could not be erased") {
                    $0.add("key", key)
                    $0.add("request_id", requestID)
                    $0.add("conditions", conditions)
                    $0.add("error", error)
                }
            }
            outcome.change { $0 = result }
        }
        guard isQueued else { throw Problem(StorageError(.closed, "the store is closed")) }
        let result =
            outcome.wait(until: call.deadline, for: { $0 != nil }, then: { $0 }) ?? nil
        var body = JSONObjectWriter()
        switch result {
        case .success(let erasure):
            body.add("done", true)
            body.add("erased", erasure.records)
            body.add("set_aside", erasure.setAside)
            body.add("forwards_waiting", forwards.waitingRecords)
            return .json(200, body.finish())
        case .failure(let error): throw Problem(error)
        case nil:
            // It goes on, and the service's own log tells when it is done.
            body.add("done", false)
            return .json(202, body.finish())
        }
    }
}
