import HTTPServer
import Primitives
import Query
import Telemetry

/// How questions come in at a path, by GET and by POST, and how their answers go out.
///
///     let route = QuestionRoute(workers: workers, log: log)
///     route.register("/query", on: &router) { request, responder, parameters in
///         let query = try parse(try parameters())
///         queries.answer(query) { result in
///             route.respond(request, responder, result) { response($0) }
///         }
///     }
struct QuestionRoute: Sendable {
    typealias Parameters = () throws(Problem) -> [Parameter]
    /// Asks the question that the parameters say. It throws only before it has asked.
    typealias Ask = @Sendable (Request, Responder, Parameters) throws(Problem) -> Void

    /// For bodies that take a moment to read.
    let workers: WorkerPool
    let log: Logger

    /// Bodies up to this size that are not compressed are read on the event loop.
    private static let smallBodyBytes = 4 << 10

    func register(_ path: String, on router: inout Router, _ ask: @escaping Ask) {
        router.on(.get, path, access: .query, bodyLimit: .none) { request, responder in
            QuestionRoute.run(ask, request, responder) { () throws(Problem) in
                try request.queryParameters()
            }
        }
        router.on(.post, path, access: .query, bodyLimit: .bytes(QueryBody.limitBytes)) {
            request, responder in
            let job: @Sendable () -> Void = {
                QuestionRoute.run(ask, request, responder) { () throws(Problem) in
                    try QueryBody.parameters(request)
                }
            }
            let isSmall =
                request.body.count <= QuestionRoute.smallBodyBytes
                && request.headers.first("content-encoding") == nil
            if isSmall { return job() }
            let isQueued = workers.submit(for: request.principal.name) {
                request.correlated { job() }
            }
            if !isQueued { responder.respond(Problem.overloaded, request) }
        }
    }

    private static func run(
        _ ask: @escaping Ask, _ request: Request, _ responder: Responder, _ parameters: Parameters
    ) {
        do throws(Problem) {
            try ask(request, responder, parameters)
        } catch {
            responder.respond(error, request)
        }
    }

    /// Sends the response to an answer, or says why there is no answer.
    func respond(
        _ request: Request, _ responder: Responder, _ result: Result<CachedAnswer, QueryError>,
        _ response: (CachedAnswer) -> Response
    ) {
        switch result {
        case .success(let answer): responder.respond(response(answer))
        case .failure(let error): responder.respond(request.problem(error, to: log), request)
        }
    }
}

extension Request {
    /// What the client is told of an error. The cause of one that is no client's goes to the log.
    func problem(_ error: QueryError, to log: Logger) -> Problem {
        if let cause = error.cause, error.kind == .unavailable {
            self.log("query failed", cause, to: log)
        }
        return Problem(error)
    }
}
