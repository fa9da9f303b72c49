import HTTPServer
import Primitives
import SQLite
import Telemetry

extension Request {
    /// Writes down what the store failed with while it answered this request; the client is told
    /// that it failed and no more.
    func log(_ message: StaticString, _ cause: SQLiteError, to log: Logger) {
        correlated { log.error(message) { $0.add("error", cause) } }
    }

    /// The trace's id as `traceparent` writes it: 32 hexadecimal digits. With `id`, what a log
    /// record about this request carries.
    var traceIDText: String {
        var digits = ByteBuffer(capacity: 32)
        digits.append(hex: trace.traceID.high, digits: 16)
        digits.append(hex: trace.traceID.low, digits: 16)
        return digits.text
    }
}
