import HTTPServer
import Primitives
import Query
import Storage
import Telemetry

/// `GET /query` and `POST /query`.
struct QueryRoutes: Sendable {
    let store: EventStore
    let readers: WorkerRoute
    let log: Logger
    let duration: Histogram

    func register(on router: inout Router) {
        router.on(
            .get, "/query", access: .query, bodyLimit: .none,
            handler { (request) throws(Problem) in try request.queryPairs() })
        router.on(
            .post, "/query", access: .query, bodyLimit: .bytes(QueryBody.limitBytes),
            handler { (request) throws(Problem) in try QueryBody.pairs(request) })
    }

    /// Reading a query may unpack a body, open a zone's file and lay out 100,000 buckets, so the
    /// event loop does none of it.
    private func handler(
        _ pairs: @escaping @Sendable (Request) throws(Problem) -> [(name: String, value: String)]
    ) -> Handler {
        readers.handler { _ in
            { call throws(Problem) in
                try run(try parse(try pairs(call.request), call.request), call)
            }
        }
    }

    private func parse(
        _ pairs: [(name: String, value: String)], _ request: Request
    ) throws(Problem) -> QueryRequest {
        let pairs = try request.restrictedToTypes(pairs)
        // The parameter comes before the header.
        let format: QueryFormat =
            pairs.contains { $0.name == "format" } ? .json : try QueryAccept.format(request)
        let query: QueryRequest
        do throws(QueryError) {
            query = try QueryRequest.parse(pairs, now: WallClock.nowMilliseconds(), format: format)
        } catch {
            throw Problem(error)
        }
        try request.checkTypes(query.types, parameter: "event")
        return query
    }

    private func run(_ query: QueryRequest, _ call: WorkerCall) throws(Problem) -> Response {
        let start = MonotonicTime.now()
        defer { duration.observe(MonotonicTime.now().since(start)) }
        do throws(QueryError) {
            let result = try store.readers.withReader(
                until: call.deadline, isCancelled: { call.isAbandoned }, mapping: QueryError.init
            ) { connection throws(QueryError) in
                try QueryExecutor.run(
                    query, on: connection, deadline: call.deadline,
                    isCancelled: { call.isAbandoned })
            }
            return QueryRoutes.response(result, query.explain ? .json : query.format)
        } catch {
            if let cause = error.cause {
                store.readers.noteDamage(cause)
                if error.kind == .unavailable { call.request.log("query failed", cause, to: log) }
            }
            throw Problem(error)
        }
    }

    private static func response(_ result: QueryResult, _ format: QueryFormat) -> Response {
        var response = Response(200, contentType: contentType(format), body: .bytes(result.body))
        if let next = result.next { response.add("X-Next-Cursor", next) }
        return response
    }

    private static func contentType(_ format: QueryFormat) -> StaticString {
        switch format {
        case .json: "application/json"
        case .csv: "text/csv; charset=utf-8; header=present"
        case .ndjson: "application/x-ndjson"
        }
    }
}

extension Problem {
    init(_ error: QueryError) {
        let status =
            switch error.kind {
            case .badRequest: 400
            case .unprocessable: 422
            case .timeout, .unavailable: 503
            case .notCached: 504
            }
        self.init(status, error.code, error.message, parameter: error.parameter)
    }
}

extension QueryError {
    init(_ error: StorageError) {
        switch error.code {
        case .busy:
            self.init(.unavailable, code: "store_busy", "all readers of the store are busy")
        case .deadline:
            self.init(.timeout, code: "query_timeout", "the query did not finish in time")
        default:
            self.init(
                .unavailable, code: "store_unavailable", "the store could not answer",
                cause: error.cause)
        }
    }
}

extension Request {
    /// The query's parameters as they are; `Query` knows their names.
    func queryPairs() throws(Problem) -> [(name: String, value: String)] {
        do throws(TargetError) {
            return try parameters().map { ($0.name, $0.value) }
        } catch {
            throw Problem(
                400, "invalid_query_string",
                "The query string has a bad escape, a zero byte, too many parameters, "
                    + "or is not UTF-8.")
        }
    }
}
