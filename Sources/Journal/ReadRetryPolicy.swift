import Primitives

/// Says how long a failed read of the journal is retried before the data counts as lost: a network disk
/// may recover within seconds. Any thread.
///
/// While the journal opens, a read waits, up to a second for all files together. Afterwards it fails, so
/// that the reader can do other things and retry. A page that still fails half a minute later is given
/// up, and so are the other bad pages of that file at once: there may be thousands.
final class ReadRetryPolicy: Sendable {
    enum Verdict {
        case retry(after: Duration)
        /// The caller may retry later.
        case fail
        /// The data counts as lost.
        case giveUp
    }

    private struct Failure {
        let offset: Int
        let since: MonotonicTime
        /// When the last read failed.
        var last: MonotonicTime
    }

    private struct State {
        var isServing = false
        /// Until then reads are tried again while the journal opens; nil before the first failure.
        var openDeadline: Deadline?
        /// The first failure of each file, by name.
        var failures: [String: Failure] = [:]
    }

    private static let openTime = Duration.seconds(1)
    private static let openInterval = Duration.milliseconds(20)
    /// The same for a journal that is open.
    static let servingTime = Duration.seconds(30)
    /// Between two failures: one after a longer pause is another outage.
    private static let longestPause = Duration.seconds(20)

    private let servingTime: Duration
    private let state = Locked(State())

    init(servingTime: Duration) { self.servingTime = servingTime }

    /// The journal is open: no read waits any more.
    func startServing() { state.withLock { $0.isServing = true } }

    /// A page of the file `name` could not be read.
    func failed(_ name: String, at offset: Int) -> Verdict {
        let now = MonotonicTime.now()
        return state.withLock { state in
            guard state.isServing else {
                let deadline = state.openDeadline ?? .after(ReadRetryPolicy.openTime)
                state.openDeadline = deadline
                return deadline.hasPassed ? .giveUp : .retry(after: ReadRetryPolicy.openInterval)
            }
            guard let failure = state.failures[name],
                now.since(failure.last) < ReadRetryPolicy.longestPause
            else {
                state.failures[name] = Failure(offset: offset, since: now, last: now)
                return servingTime > .zero ? .fail : .giveUp
            }
            state.failures[name]?.last = now
            return now.since(failure.since) < servingTime ? .fail : .giveUp
        }
    }

    /// A part of the file `name` could be read.
    func succeeded(_ name: String, _ part: Range<Int>) {
        state.withLock { state in
            guard let failure = state.failures[name], part.contains(failure.offset) else { return }
            state.failures[name] = nil
        }
    }

    /// The file `name` was removed or replaced.
    func forget(_ name: String) { state.withLock { $0.failures[name] = nil } }
}
