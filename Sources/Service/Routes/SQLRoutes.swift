import HTTPServer
import Primitives
import Query
import SQLite
import Telemetry

/// `GET` and `POST /query/sql`: one SELECT of the client's own, in a sandbox. Its answer is computed
/// anew each time.
struct SQLRoutes: Sendable {
    /// Nil where ad-hoc SQL is off.
    let runner: SQLRunner?
    let workers: WorkerRoute
    /// Without keys everybody may read everything.
    let hasKeys: Bool
    let insights: QueryInsights
    let log: Logger

    private static let path = "/query/sql"

    func register(on router: inout Router) {
        router.on(
            .get, SQLRoutes.path, access: .querySQL, bodyLimit: .none,
            workers.handler { (_) throws(Problem) in
                try job { (request) throws(Problem) in (try request.queryParameters(), [:]) }
            })
        router.on(
            .post, SQLRoutes.path, access: .querySQL, bodyLimit: .bytes(QueryBody.limitBytes),
            workers.handler { (_) throws(Problem) in
                try job { (request) throws(Problem) in try SQLRoutes.body(request) }
            })
    }

    /// Parameters, and the values whose type is known.
    private typealias Given = (parameters: [Parameter], typed: [String: SQLValue])

    private func job(
        _ read: @escaping @Sendable (Request) throws(Problem) -> Given
    ) throws(Problem) -> WorkerRoute.Job {
        guard let runner else {
            throw Problem(
                403, "sql_disabled", "Ad-hoc SQL is off here; --enable-sql turns it on.")
        }
        return { call throws(Problem) in
            let request = call.request
            let given = try read(request)
            var question = try SQLRoutes.question(given, request)
            question.logs = mayReadLogs(request.principal) ? .granted : .lacksScope
            let answer: QueryAnswer
            let start = MonotonicTime.now()
            do throws(QueryError) {
                answer = try runner.answer(
                    question, deadline: call.deadline, isCancelled: { call.isAbandoned })
            } catch {
                throw request.problem(error, to: log)
            }
            var response = SQLRoutes.response(answer, took: MonotonicTime.now().since(start))
            request.observe(insights, SQLRoutes.path, given.parameters, nil, &response)
            return response
        }
    }

    private func mayReadLogs(_ principal: Principal) -> Bool {
        guard hasKeys, case .scope(let scope) = Access.logsRead else { return true }
        return principal.scopes.contains(scope)
    }

    private static func question(
        _ given: Given, _ request: Request
    ) throws(Problem) -> SQLQuestion {
        let format = try QueryAccept.format(request, given.parameters)
        do throws(QueryError) {
            return try SQLQuestion.parse(given.parameters, typed: given.typed, format: format)
        } catch {
            throw Problem(error)
        }
    }

    /// The members of the body: values keep the type that they have in JSON.
    private static func body(_ request: Request) throws(Problem) -> Given {
        var given: Given = ([], [:])
        for (name, value) in try QueryBody.members(request) {
            guard let place = SQLQuestion.valueName(name) else {
                guard let text = value.text else { throw QueryBody.invalid }
                given.parameters.append(Parameter(name: name, value: text))
                continue
            }
            guard given.typed[place] == nil else {
                throw Problem(
                    400, "repeated_parameter", "\(name) must be given once.", parameter: name)
            }
            given.typed[place] = try SQLRoutes.value(value)
        }
        return given
    }

    private static func value(_ value: JSONValue) throws(Problem) -> SQLValue {
        switch value {
        case .null: return .null
        case .bool(let flag): return .integer(flag ? 1 : 0)
        case .integer(let number): return .integer(number)
        case .unsigned(let number): return .real(Double(number))
        case .double(let number): return .real(number)
        case .string(let text) where text.utf8.count <= SQLQuestion.valueLimitBytes:
            return .text(text)
        case .string, .array, .object: throw QueryBody.invalid
        }
    }

    private static func response(_ answer: QueryAnswer, took: Duration) -> Response {
        let type: StaticString =
            switch answer.format {
            case .json: "application/json"
            case .csv: "text/csv; charset=utf-8; header=present"
            case .ndjson: "application/x-ndjson"
            }
        var response = Response(200, contentType: type, body: .bytes(answer.body))
        response.add("Server-Timing", "store;dur=\(took.wholeMilliseconds)")
        if answer.isCut { response.add("X-Truncated", "true") }
        return response
    }
}
