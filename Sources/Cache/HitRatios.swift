import Primitives

/// Hit ratios over the last minutes, from samples of counters that only grow. Any thread.
package final class HitRatios: Sendable {
    private struct Sample {
        var time: MonotonicTime
        var answered: UInt64
        var asked: UInt64
    }

    private struct State {
        /// The oldest first, at most `limit`.
        var samples: [Sample] = []
        var latest = Sample(time: MonotonicTime(nanoseconds: 0), answered: 0, asked: 0)
    }

    /// An hour of samples ten seconds apart, and one to begin with.
    private static let limit = 361
    private static let interval = Duration.seconds(10)
    private let state = Locked(State())

    package init() {}

    /// Notes what the counters say. Called about once a second.
    package func sample(hits: UInt64, stale: UInt64, misses: UInt64, at now: MonotonicTime) {
        state.withLock { state in
            state.latest = Sample(
                time: now, answered: hits + stale, asked: hits + stale + misses)
            if let last = state.samples.last, now.since(last.time) < HitRatios.interval { return }
            state.samples.append(state.latest)
            if state.samples.count > HitRatios.limit { state.samples.removeFirst() }
        }
    }

    /// Answered from memory of those asked within the last `minutes`; nil if none were.
    package func ratio(minutes: Int64, at now: MonotonicTime) -> Double? {
        state.withLock { state in
            let window = Duration.seconds(minutes * 60)
            // Before the first sample there was nothing, unless the first ones are gone.
            let first =
                state.samples.count < HitRatios.limit
                ? Sample(time: now, answered: 0, asked: 0) : state.samples.first
            let before = state.samples.last { now.since($0.time) >= window } ?? first
            guard let before, state.latest.asked > before.asked else { return nil }
            return Double(state.latest.answered - before.answered)
                / Double(state.latest.asked - before.asked)
        }
    }
}
