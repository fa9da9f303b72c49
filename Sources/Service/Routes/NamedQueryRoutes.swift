import Cache
import HTTPServer
import Primitives
import Query
import Telemetry

/// `GET /query/named`, and `GET` and `POST /query/named/{name}`.
struct NamedQueryRoutes: Sendable {
    /// Nil where no folder of queries is configured.
    let keeper: NamedQueryKeeper?
    let queries: NamedQueries
    let insights: QueryInsights
    let route: QuestionRoute

    func register(on router: inout Router) {
        router.on(.get, "/query/named", access: .query, bodyLimit: .none) { request, responder in
            do throws(Problem) {
                _ = try request.checkedParameters([])
                responder.respond(catalogue(for: request.principal))
            } catch {
                responder.respond(error, request)
            }
        }
        route.register("/query/named/{name}", on: &router) {
            (request, responder, parameters) throws(Problem) in
            try ask(request, responder, parameters)
        }
    }

    // MARK: Asking

    private func ask(
        _ request: Request, _ responder: Responder, _ parameters: QuestionRoute.Parameters
    ) throws(Problem) {
        let query = try query(request)
        let given = try parameters()
        let call = try NamedQueryRoutes.call(query, given, request)
        let wish = QueryWish(maxStaleSeconds: call.maxStaleSeconds, request)
        queries.answer(
            call, wish.mode, wish.conditions, owner: request.principal.name,
            isAbandoned: { responder.isAbandoned }
        ) { result in
            route.respond(request, responder, result) { answer in
                var response = QueryReply(answer, wish, to: call.query).response(to: request)
                request.observe(
                    insights, "/query/named/" + call.query.name, given, answer.reply, &response)
                return response
            }
        }
    }

    private func query(_ request: Request) throws(Problem) -> NamedQuery {
        guard let name = request.pathParameters.first, let keeper else {
            throw NamedQueryRoutes.absent("There are no named queries here (--queries-dir).")
        }
        try NamedQueryRoutes.check(request.principal, name)
        switch keeper.query(name) {
        case .query(let query): return query
        case .absent:
            throw NamedQueryRoutes.absent("There is no such query; GET /query/named lists them.")
        case .broken:
            throw Problem(
                503, "query_broken", "The file of this query cannot be used; /status says why.",
                retryAfterSeconds: 10)
        }
    }

    private static func absent(_ detail: String) -> Problem {
        Problem(404, "query_not_found", detail)
    }

    /// SQL sees the events of all types, so a key that is bound to some of them asks only the queries
    /// that it is bound to by name.
    private static func check(_ principal: Principal, _ name: String) throws(Problem) {
        if principal.queries.contains(name) { return }
        guard principal.queries.isEmpty else {
            throw Problem(403, "query_not_allowed", "The key is bound to other queries.")
        }
        guard principal.types.isEmpty else {
            throw Problem(
                403, "query_not_allowed",
                "The key is bound to event types, and to no named query.")
        }
    }

    private static func call(
        _ query: NamedQuery, _ parameters: [Parameter], _ request: Request
    ) throws(Problem) -> NamedCall {
        let format = try QueryAccept.format(request, parameters)
        do throws(QueryError) {
            return try NamedCall(query, parameters, format: format)
        } catch {
            throw Problem(error)
        }
    }

    // MARK: The catalogue

    private func catalogue(for principal: Principal) -> Response {
        let report = keeper?.report
        let permitted = (report?.queries ?? []).filter { (query: NamedQuery) in
            (try? NamedQueryRoutes.check(principal, query.name)) != nil
        }
        var body = JSONObjectWriter()
        body.array("queries", of: permitted) { (body, query: NamedQuery) in
            let problem = report?.problems.first { $0.name == query.name }?.problem
            NamedQueryRoutes.add(query, problem, to: &body)
        }
        return .json(200, body.finish())
    }

    private static func add(
        _ query: NamedQuery, _ problem: String?, to body: inout JSONObjectWriter
    ) {
        body.add("name", query.name)
        body.add("path", "/query/named/" + query.name)
        if let text = query.description { body.add("description", text) }
        body.array("parameters", of: query.parameters) { add($1, to: &$0) }
        body.add("policy", query.policy.rawValue)
        body.add("ttl_ms", query.lifetime.wholeMilliseconds)
        body.add("stale_while_revalidate_ms", query.staleWhileRevalidate.wholeMilliseconds)
        if let timeout = query.timeout { body.add("timeout_ms", timeout.wholeMilliseconds) }
        body.add("max_rows", query.rowLimit)
        // The file has become unusable since; this is the query as it was.
        if problem != nil { body.add("outdated", true) }
    }

    private static func add(_ parameter: NamedParameter, to body: inout JSONObjectWriter) {
        body.add("name", parameter.name)
        body.add("type", parameter.kind.rawValue)
        body.add("required", parameter.isRequired)
        if let standard = parameter.standard { body.add("default", standard) }
        switch parameter.bounds {
        case .any: break
        case .integers(let range):
            body.add("minimum", range.lowerBound)
            body.add("maximum", range.upperBound)
        case .reals(let range):
            body.add("minimum", range.lowerBound)
            body.add("maximum", range.upperBound)
        case .choices(let choices): body.add("values", choices)
        }
    }
}
