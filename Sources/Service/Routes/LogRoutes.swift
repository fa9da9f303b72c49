import HTTPServer
import Logs
import Primitives
import Query
import Storage
import Telemetry

/// Logs of others that are searched, counted, followed and erased.
struct LogRoutes: Sendable {
    private static let defaultLimit = 100
    private static let defaultFacets = 20
    /// What a histogram covers that names no beginning.
    private static let defaultRangeMilliseconds: Int64 = 86_400_000
    private static let intervals: [(name: String, minutes: Int64)] = [
        ("1m", 1), ("5m", 5), ("15m", 15), ("30m", 30), ("1h", 60), ("6h", 360), ("12h", 720),
        ("1d", 1440),
    ]
    /// Buckets that an interval is chosen for, where none is given.
    private static let bucketsWanted: Int64 = 120

    let store: LogStore
    let tail: TailHub<LogTailSource>
    let forwards: LogForwards
    let readers: WorkerRoute
    let log: Logger

    func register(on router: inout Router) {
        router.on(
            .get, "/logs", access: .logsRead, bodyLimit: .none,
            readers.handler { (request) throws(Problem) in try list(request) })
        router.on(
            .get, "/logs/histogram", access: .logsRead, bodyLimit: .none,
            readers.handler { (request) throws(Problem) in try histogram(request) })
        router.on(
            .get, "/logs/facets", access: .logsRead, bodyLimit: .none,
            readers.handler { (request) throws(Problem) in try facets(request) })
        router.on(.get, "/logs/tail", access: .logsRead, bodyLimit: .none) {
            tail.handle($0, $1)
        }
        router.on(
            .delete, "/logs", access: .admin, bodyLimit: .none,
            readers.handler { (request) throws(Problem) in try erase(request) })
    }

    private func job(
        _ ask: @escaping @Sendable (Deadline) throws(StorageError) -> Response
    ) -> WorkerRoute.Job {
        WorkerRoute.job("logs cannot be read", to: log, ask)
    }

    // MARK: GET /logs

    private func list(_ request: Request) throws(Problem) -> WorkerRoute.Job {
        var filters = LogFilterParameters()
        var limit = LogRoutes.defaultLimit
        var cursor: LogCursor?
        for parameter in try request.checkedParameters(
            LogFilterParameters.names + ["limit", "cursor"], lists: LogFilterParameters.lists)
        {
            if try filters.take(parameter) { continue }
            if parameter.name == "limit" {
                limit = try parameter.limit()
            } else {
                guard let parsed = LogCursor(text: parameter.value) else { throw .badCursor }
                cursor = parsed
            }
        }
        let (filter, before, count) = (try filters.checked(), cursor, limit)
        return job { [store] deadline throws(StorageError) in
            let page = try store.page(filter, before: before, limit: count, deadline: deadline)
            var body = ByteBuffer(capacity: page.records.count + 64)
            body.append(#"{"records":["#)
            body.append(page.records.span)
            body.append(#"],"next":"#)
            body.append(jsonStringOrNull: page.next?.text)
            body.append("}\n")
            return .json(200, body)
        }
    }

    // MARK: GET /logs/histogram

    private func histogram(_ request: Request) throws(Problem) -> WorkerRoute.Job {
        var filters = LogFilterParameters()
        var interval: (name: String, minutes: Int64)?
        for parameter in try request.checkedParameters(
            LogFilterParameters.names + ["interval"], lists: LogFilterParameters.lists)
        {
            if try filters.take(parameter) { continue }
            guard let known = LogRoutes.intervals.first(where: { $0.name == parameter.value })
            else {
                let names = LogRoutes.intervals.map(\.name).joined(separator: ", ")
                throw .parameter("interval", "interval is one of \(names).")
            }
            interval = known
        }
        var wanted = try filters.checked()
        let now = WallClock.nowMilliseconds()
        if wanted.from == nil {
            let from = (wanted.to ?? now) - LogRoutes.defaultRangeMilliseconds
            wanted.from = from - from % 60_000
        }
        let range = (wanted.to ?? now) - (wanted.from ?? now)
        let step =
            interval
            ?? LogRoutes.intervals.first {
                $0.minutes * 60_000 * LogRoutes.bucketsWanted >= range
            } ?? ("1d", 1440)
        let filter = wanted
        return job { [store] deadline throws(StorageError) in
            let histogram = try store.histogram(filter, minutes: step.minutes, deadline: deadline)
            var body = JSONObjectWriter()
            body.add("interval", step.name)
            body.array("buckets", of: histogram.buckets) { bucket, counts in
                bucket.add("time", Timestamp.format(counts.time))
                bucket.add("count", counts.counts.reduce(0, +))
                bucket.object("levels") { levels in
                    for (name, count) in zip(LogSeverity.bands, counts.counts) where count > 0 {
                        levels.add(name, count)
                    }
                }
            }
            return .json(200, body.finish())
        }
    }

    // MARK: GET /logs/facets

    private func facets(_ request: Request) throws(Problem) -> WorkerRoute.Job {
        var filters = LogFilterParameters()
        var limit = LogRoutes.defaultFacets
        var wanted: (name: String, field: LogField)?
        for parameter in try request.checkedParameters(
            LogFilterParameters.names + ["field", "limit"], lists: LogFilterParameters.lists)
        {
            if try filters.take(parameter) { continue }
            if parameter.name == "limit" {
                limit = try parameter.limit()
            } else if let field = LogField(parameter.value) {
                wanted = (parameter.value, field)
            }
        }
        guard let (name, field) = wanted else {
            throw .parameter(
                "field",
                "field is level, service, event_name, scope, attributes.NAME or resource.NAME.")
        }
        let (filter, count) = (try filters.checked(), limit)
        return job { [store] deadline throws(StorageError) in
            let facets = try store.facets(field, filter, limit: count, deadline: deadline)
            var body = JSONObjectWriter()
            body.add("field", name)
            body.add("total", facets.total)
            body.add("truncated", facets.isTruncated)
            body.array("values", of: facets.values) { row, facet in
                switch facet.value {
                case .boolean(let value): row.add("value", value)
                case .integer(let value): row.add("value", value)
                case .real(let value): row.add("value", value)
                case .text(let value): row.add("value", value)
                }
                row.add("count", facet.count)
            }
            return .json(200, body.finish())
        }
    }
}
