import HTTPServer
import Primitives
import Query
import Telemetry

/// `GET /query` and `POST /query`.
struct QueryRoutes: Sendable {
    let queries: QueryService
    let readers: WorkerRoute
    let log: Logger
    let duration: Histogram

    func register(on router: inout Router) {
        // Reading a query touches no clock and no file, so the event loop does it.
        router.on(
            .get, "/query", access: .query, bodyLimit: .none,
            readers.handler { (request) throws(Problem) in
                let query = try parse(try request.queryParameters(), request)
                return { call throws(Problem) in try run(query, call) }
            })
        // A body may have to be unpacked first.
        router.on(
            .post, "/query", access: .query, bodyLimit: .bytes(QueryBody.limitBytes),
            readers.handler { _ in
                { call throws(Problem) in
                    let parameters = try QueryBody.parameters(call.request)
                    return try run(try parse(parameters, call.request), call)
                }
            })
    }

    private func parse(
        _ parameters: [Parameter], _ request: Request
    ) throws(Problem) -> QueryRequest {
        let parameters = try request.restrictedToTypes(parameters)
        // The parameter comes before the header.
        let format: QueryFormat =
            parameters.contains { $0.name == "format" } ? .json : try QueryAccept.format(request)
        let query: QueryRequest
        do throws(QueryError) {
            query = try QueryRequest.parse(parameters, format: format)
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
            return QueryRoutes.response(
                try queries.answer(
                    query, deadline: call.deadline, isCancelled: { call.isAbandoned }))
        } catch {
            if let cause = error.cause, error.kind == .unavailable {
                call.request.log("query failed", cause, to: log)
            }
            throw Problem(error)
        }
    }

    private static func response(_ answer: QueryAnswer) -> Response {
        var response = Response(
            200, contentType: contentType(answer.format), body: .bytes(answer.body))
        if let next = answer.next { response.add("X-Next-Cursor", next) }
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

extension Request {
    /// The query's parameters as they are; `Query` knows their names.
    func queryParameters() throws(Problem) -> [Parameter] {
        do throws(TargetError) {
            return try parameters()
        } catch {
            throw Problem(
                400, "invalid_query_string",
                "The query string has a bad escape, a zero byte, too many parameters, "
                    + "or is not UTF-8.")
        }
    }
}
