import Primitives
import Telemetry

extension AccessLog {
    /// One record a finished request; the query and the client's address stay out of it.
    /// - Parameter bodyBytes: of the request, as it came.
    static func write(
        _ request: Request, _ bodyBytes: Int, _ status: Int, _ code: String?, _ duration: Duration,
        _ mode: Mode, _ log: Logger
    ) {
        let level: LogLevel = status >= 500 ? .error : status >= 400 ? .notice : .info
        guard mode == .all || (mode == .errors && status >= 400), log.isEnabled(level) else {
            return
        }
        request.correlated {
            log.log(level, "request") {
                $0.add("method", request.method.name)
                $0.add("route", request.route ?? "none")
                $0.add("status", status)
                $0.add("code", code ?? "")
                $0.add("duration_ms", duration)
                $0.add("request_bytes", bodyBytes)
            }
        }
    }
}
