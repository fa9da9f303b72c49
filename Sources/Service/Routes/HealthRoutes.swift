import HTTPServer
import Primitives
import Telemetry

/// `GET /status`, `/metrics` and `/openapi.yaml`: answered on the event loop, so that they work while
/// everything else is busy.
struct HealthRoutes: Sendable {
    let reports: Reports

    func register(on router: inout Router) {
        router.onPlain("/status", access: .admin) { .json(200, reports.status()) }
        // A scraper needs a key, but none that could change or read anything.
        router.onPlain("/metrics", access: .authenticated) {
            Response(
                200, contentType: "text/plain; version=0.0.4; charset=utf-8",
                body: .bytes(reports.metrics()))
        }
        let document = Bytes(PackageResources.openapi_yaml)
        router.onPlain("/openapi.yaml", access: .public) {
            var response = Response(200, contentType: "application/yaml", body: .bytes(document))
            response.cacheControl = "no-cache"
            return response
        }
    }
}
