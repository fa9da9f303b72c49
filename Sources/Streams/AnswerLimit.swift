import Primitives

/// How long a read of entries waits for its answer. It doubles where the time was over, and comes back
/// with quick answers. One thread at a time.
package struct AnswerLimit: Equatable {
    /// A stop waits for a read that is under way.
    static let longest = Duration.seconds(8)

    private let first: Duration
    private(set) var current: Duration

    /// - Parameter first: the shortest.
    init(_ first: Duration) {
        self.first = first
        current = first
    }

    /// The time was over.
    mutating func timedOut() { current = min(current * 2, AnswerLimit.longest) }

    /// Notes how long contents took to come.
    mutating func answered(after time: Duration) {
        if time < current / 4 { current = max(current / 2, first) }
    }

    /// Waits at least as long as `other`.
    mutating func raise(to other: AnswerLimit) { current = max(current, other.current) }
}
