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
        log.log(
            level, "request",
            [
                "method": .string(request.method.name),
                "route": .string(request.route ?? "none"),
                "status": .integer(Int64(status)),
                "code": .string(code ?? ""),
                "duration_ms": .real(Double(duration.wholeNanoseconds) / 1e6),
                "request_bytes": .integer(Int64(bodyBytes)),
                "request_id": .string(request.id.text),
                "trace_id": .string(trace.text),
                "span_id": .string(span.text),
            ])
    }
}
