internal import CLogRing
import Primitives

/// In whose name a thread works: records that it writes meanwhile carry the request's id, trace and
/// span, without the call naming them.
package enum LogCorrelation {
    /// Runs `body` in the request's name. Nests; costs some nanoseconds.
    /// - Parameter requestID: at most 64 bytes of it count.
    package static func with<Result, Failure: Error>(
        _ trace: TraceContext, requestID: UnsafeRawBufferPointer,
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let current = millrace_log_context_current()
        let before = current?.pointee
        millrace_log_context_set(
            trace.traceID.high, trace.traceID.low, trace.spanID, requestID.baseAddress,
            UInt32(min(requestID.count, 64)))
        defer { if let before { current?.pointee = before } }
        return try body()
    }
}
