import Primitives

/// Whether one side of the streams, the forwarder or the consumer, gets its work done.
/// Any thread.
final class LinkHealth: Sendable {
    private struct State {
        var failingSince: MonotonicTime?
        var lastError: String?
        var failures: UInt64 = 0
    }

    /// - Parameter now: it has not done anything yet, which counts as failing until it has.
    init(at now: MonotonicTime = .now()) { state = Locked(State(failingSince: now)) }

    private let state: Locked<State>

    func succeeded() {
        state.withLock { $0.failingSince = nil }
    }

    /// - Returns: whether this is another error than the last one, and so worth a log record.
    func failed(_ error: String) -> Bool {
        state.withLock { state in
            defer { state.lastError = error }
            let isNews = state.failingSince == nil || state.lastError != error
            state.failures += 1
            if state.failingSince == nil { state.failingSince = .now() }
            return isNews
        }
    }

    /// Nil while it works.
    func failing(at now: MonotonicTime) -> Duration? {
        state.withLock { state in state.failingSince.map { now.since($0) } }
    }

    /// The error that it fails with; nil while it works.
    var error: String? { state.withLock { $0.failingSince == nil ? nil : $0.lastError } }
    var failures: UInt64 { state.withLock { $0.failures } }
}
