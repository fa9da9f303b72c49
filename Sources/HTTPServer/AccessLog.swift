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
        var trace = ByteBuffer(capacity: 32)
        trace.append(hex: request.trace.traceID.high, digits: 16)
        trace.append(hex: request.trace.traceID.low, digits: 16)
        var span = ByteBuffer(capacity: 16)
        span.append(hex: request.trace.spanID, digits: 16)
        log.log(level, "request") {
            $0.add("method", request.method.name)
            $0.add("route", request.route ?? "none")
            $0.add("status", status)
            $0.add("code", code ?? "")
            $0.add("duration_ms", Double(duration.wholeNanoseconds) / 1e6)
            $0.add("request_bytes", bodyBytes)
            $0.add("request_id", request.id.text)
            $0.add("trace_id", trace.text)
            $0.add("span_id", span.text)
        }
    }
}
