import HTTPServer
import Primitives

extension Request {
    /// The trace's id as `traceparent` writes it: 32 hexadecimal digits. With `id`, what a log
    /// record about this request carries.
    var traceIDText: String {
        var digits = ByteBuffer(capacity: 32)
        digits.append(hex: trace.traceID.high, digits: 16)
        digits.append(hex: trace.traceID.low, digits: 16)
        return digits.text
    }
}
