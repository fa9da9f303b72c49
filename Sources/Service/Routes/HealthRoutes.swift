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
        // Anybody may ask for it as often as they like.
        router.on(.get, "/openapi.yaml", access: .public, bodyLimit: .none) { request, responder in
            do throws(Problem) {
                if request.hasQuery { _ = try request.checkedParameters([]) }
                responder.respond(HealthRoutes.document.response(to: request))
            } catch {
                responder.respond(error, request)
            }
        }
    }

    /// Compressed once, for the first who asks: a service that nobody asks idles with less.
    private static let document: SharedReply = {
        let type: StaticString = "application/yaml"
        let body = Bytes(PackageResources.openapi_yaml)
        let sum = String(SHA256Digest(of: body.span).words.0, radix: 16)
        return SharedReply(
            contentType: type, body, etag: "\"\(sum)\"", cacheControl: "no-cache",
            gzip: .compressed(
                contentType: type, body, etag: "\"\(sum)-gzip\"", cacheControl: "no-cache"))
    }()
}
