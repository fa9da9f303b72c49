import HTTPServer
import Primitives
import Telemetry

/// `GET /healthz`, `/readyz`, `/status`, `/metrics` and `/openapi.yaml`: answered on the event loop,
/// so that they work while everything else is busy.
struct HealthRoutes: Sendable {
    let state: ServiceState
    let reports: Reports

    func register(on router: inout Router) {
        on("/healthz", .public, &router) {
            Response(200, contentType: "application/json", body: .fixed("{\"status\":\"ok\"}\n"))
        }
        on("/readyz", .public, &router) { ready() }
        on("/status", .admin, &router) { .json(200, reports.status()) }
        // A scraper needs a key, but none that could change or read anything.
        on("/metrics", .authenticated, &router) {
            Response(
                200, contentType: "text/plain; version=0.0.4; charset=utf-8",
                body: .bytes(reports.metrics()))
        }
        let document = Bytes(PackageResources.openapi_yaml)
        on("/openapi.yaml", .public, &router) {
            var response = Response(200, contentType: "application/yaml", body: .bytes(document))
            response.cacheControl = "no-cache"
            return response
        }
    }

    /// A route without parameters.
    private func on(
        _ template: String, _ access: Access, _ router: inout Router,
        _ answer: @escaping @Sendable () -> Response
    ) {
        router.on(.get, template, access: access, bodyLimit: .none) { request, responder in
            do throws(Problem) {
                if request.hasQuery { _ = try request.checkedParameters([]) }
                responder.respond(answer())
            } catch {
                responder.respond(error, request)
            }
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
