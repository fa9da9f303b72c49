import Resilience

extension Logger {
    /// Logs that a breaker changed its mode: as a warning when it opens.
    /// - Parameters:
    ///   - lastError: what the last call failed with; empty if none has.
    ///   - fields: whose breaker it is.
    package func log(
        _ change: BreakerChange, _ message: StaticString, lastError: String,
        _ fields: (inout LogFields) -> Void
    ) {
        log(change.to == .open ? .warning : .notice, message) {
            fields(&$0)
            $0.add("from", change.from.rawValue)
            $0.add("to", change.to.rawValue)
            $0.add("reason", change.reason.rawValue)
            $0.add("failure_rate", change.failureRate)
            $0.add("slow_rate", change.slowRate)
            $0.add("last_error", lastError)
        }
    }
}
