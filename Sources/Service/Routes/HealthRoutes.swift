import HTTPServer
import Primitives

/// `GET /healthz`, `/readyz`, `/status`, `/metrics` and `/openapi.yaml`: answered on the event loop,
/// so that they work while everything else is busy.
struct HealthRoutes: Sendable {
    let state: ServiceState
    let status: StatusReport
    let metrics: MetricsReport

    func register(on router: inout Router) {
        router.on(.get, "/healthz") { request, responder in
            responder.respond(
                Response(
                    200, contentType: "application/json", body: .fixed("{\"status\":\"ok\"}\n")))
        }
        router.on(.get, "/readyz") { request, responder in responder.respond(ready()) }
        router.on(.get, "/status") { request, responder in
            responder.respond(.json(200, status.json()))
        }
        router.on(.get, "/metrics") { request, responder in
            responder.respond(
                Response(
                    200, contentType: "text/plain; version=0.0.4; charset=utf-8",
                    body: .bytes(metrics.text())))
        }
        let document = Bytes(PackageResources.openapi_yaml)
        router.on(.get, "/openapi.yaml") { request, responder in
            var response = Response(200, contentType: "application/yaml", body: .bytes(document))
            response.cacheControl = "no-cache"
            responder.respond(response)
        }
    }

    private func ready() -> Response {
        let components = state.components
        let isReady = components.allSatisfy { $0.verdict != .failed } && !state.isDraining
        let isDegraded = components.contains { $0.verdict == .degraded }
        var body = ByteBuffer(capacity: 192)
        body.append(#"{"status":""#)
        body.append(!isReady ? "not_ready" : isDegraded ? "degraded" : "ready")
        body.append(#"","components":{"#)
        for (index, component) in components.enumerated() {
            if index > 0 { body.append(",") }
            body.append(jsonString: component.name)
            body.append(":")
            body.append(jsonString: component.word)
        }
        body.append("}}\n")
        var response = Response.json(isReady ? 200 : 503, body)
        if !isReady { response.add("Retry-After", "1") }
        return response
    }
}
