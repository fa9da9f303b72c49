import Cache
import HTTPServer
import Primitives
import Query
import SQLite
import Telemetry

/// `GET /query` and `POST /query`.
///
/// Reading a question touches no clock and no file, and finding its answer in memory wakes nobody,
/// so the event loop does both.
struct QueryRoutes: Sendable {
    let queries: CachedQueries
    /// For bodies that take a moment to read.
    let workers: WorkerPool
    let insights: QueryInsights
    let log: Logger

    /// Bodies up to this size that are not compressed are read on the event loop.
    private static let smallBodyBytes = 4 << 10

    func register(on router: inout Router) {
        router.on(.get, "/query", access: .query, bodyLimit: .none) { request, responder in
            answer(request, responder) { () throws(Problem) in try request.queryParameters() }
        }
        router.on(.post, "/query", access: .query, bodyLimit: .bytes(QueryBody.limitBytes)) {
            request, responder in
            let ask: @Sendable () -> Void = {
                answer(request, responder) { () throws(Problem) in
                    try QueryBody.parameters(request)
                }
            }
            let isSmall =
                request.body.count <= QueryRoutes.smallBodyBytes
                && request.headers.first("content-encoding") == nil
            if isSmall { return ask() }
            let isQueued = workers.submit(for: request.principal.name) {
                request.correlated { ask() }
            }
            if !isQueued { responder.respond(Problem.overloaded, request) }
        }
    }

    private func answer(
        _ request: Request, _ responder: Responder,
        _ parameters: () throws(Problem) -> [Parameter]
    ) {
        let query: QueryRequest
        let given: [Parameter]
        do throws(Problem) {
            given = try parameters()
            query = try parse(given, request)
        } catch {
            return responder.respond(error, request)
        }
        let wish = QueryWish(query, request)
        let now = WallClock.nowMilliseconds()
        queries.answer(
            query, wish.mode, wish.conditions, now: now, owner: request.principal.name,
            isAbandoned: { responder.isAbandoned }
        ) { result in
            switch result {
            case .success(let answer):
                let reply = QueryReply(answer, wish, query)
                var response = reply.response(to: request)
                let isAdvised = request.observe(
                    insights, "/query", given, answer.reply, &response)
                // A POST has a body, which is not among the bytes that are compared; advice is for
                // this one request.
                if request.method != .post, !isAdvised {
                    response.repetition = queries.again(
                        answer, query, wish.conditions, now: now, told: reply.now
                    ).map { again in
                        ReplyRepetition {
                            guard again.holds(at: $0) else { return false }
                            insights.countHit()
                            return true
                        }
                    }
                }
                responder.respond(response)
            case .failure(let error):
                if let cause = error.cause, error.kind == .unavailable {
                    request.log("query failed", cause, to: log)
                }
                responder.respond(Problem(error), request)
            }
        }
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
}

extension Problem {
    init(_ error: QueryError) {
        let status =
            switch error.kind {
            case .badRequest: 400
            case .forbidden: 403
            case .unprocessable: 422
            case .timeout, .unavailable: 503
            case .notCached: 504
            }
        self.init(
            status, error.code, error.message, parameter: error.parameter, offset: error.offset)
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
