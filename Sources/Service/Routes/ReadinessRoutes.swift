import HTTPServer
import Primitives

/// `GET /healthz` and `GET /readyz`: served from the first moment on, on the event loop.
struct ReadinessRoutes: Sendable {
    let readiness: Readiness

    /// What is served while the service starts. The router of all routes goes on from it, so these
    /// two keep their place in it, by which metrics know them.
    var router: Router {
        var router = Router()
        router.onPlain("/healthz", access: .public) {
            Response(200, contentType: "application/json", body: .fixed("{\"status\":\"ok\"}\n"))
        }
        router.onPlain("/readyz", access: .public) { response() }
        router.absence = ReadinessRoutes.starting
        return router
    }

    private static let starting = Problem(
        503, "not_ready", "The service is starting: it reads its journal and its store.")

    private func response() -> Response {
        let answer = readiness.answer
        var body = ByteBuffer(capacity: 192)
        body.append(#"{"status":""#)
        body.append(!answer.isReady ? "not_ready" : answer.isDegraded ? "degraded" : "ready")
        body.append(#"","components":{"#)
        for (index, component) in answer.components.enumerated() {
            if index > 0 { body.append(",") }
            body.append(jsonString: component.name)
            body.append(":")
            body.append(jsonString: component.word)
        }
        body.append("}}\n")
        var response = Response.json(answer.isReady ? 200 : 503, body)
        if !answer.isReady { response.add("Retry-After", "1") }
        return response
    }
}

extension Router {
    /// A GET without parameters, answered on the event loop.
    mutating func onPlain(
        _ template: String, access: Access, _ answer: @escaping @Sendable () -> Response
    ) {
        on(.get, template, access: access, bodyLimit: .none) { request, responder in
            do throws(Problem) {
                if request.hasQuery { _ = try request.checkedParameters([]) }
                responder.respond(answer())
            } catch {
                responder.respond(error, request)
            }
        }
    }
}
