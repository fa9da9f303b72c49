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
    let insights: QueryInsights
    let route: QuestionRoute

    func register(on router: inout Router) {
        route.register("/query", on: &router) { (request, responder, parameters) throws(Problem) in
            try ask(request, responder, parameters)
        }
    }

    private func ask(
        _ request: Request, _ responder: Responder, _ parameters: QuestionRoute.Parameters
    ) throws(Problem) {
        let given = try parameters()
        let query = try parse(given, request)
        let wish = QueryWish(query, request)
        let now = WallClock.nowMilliseconds()
        queries.answer(
            query, wish.mode, wish.conditions, now: now, owner: request.principal.name,
            isAbandoned: { responder.isAbandoned }
        ) { result in
            route.respond(request, responder, result) { answer in
                let reply = QueryReply(answer, wish, query)
                var response = reply.response(to: request)
                let isAdvised = request.observe(
                    insights, "/query", given, answer.reply, &response)
                // A POST has a body, which is not among the bytes that are compared; advice is for
                // this one request.
                guard request.method != .post, !isAdvised else { return response }
                response.repetition = queries.again(
                    answer, query, wish.conditions, now: now, told: reply.now
                ).map { again in
                    ReplyRepetition {
                        guard again.holds(at: $0) else { return false }
                        insights.countHit()
                        return true
                    }
                }
                return response
            }
        }
    }

    private func parse(
        _ parameters: [Parameter], _ request: Request
    ) throws(Problem) -> QueryRequest {
        let parameters = try request.restrictedToTypes(parameters)
        let format = try QueryAccept.format(request, parameters)
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
