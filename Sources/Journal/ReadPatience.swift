import Primitives

/// For how long a disk is asked again for what it could not read, before that is given up: one that is
/// reached over a network may be back soon. Any thread.
///
/// While the journal opens, a read waits, up to a second for all files together. Afterwards it fails, so
/// that the reader can do other things and come back; what still fails half a minute later is given up.
/// Then the other bad pages of that file are given up at once: there may be thousands.
final class ReadPatience: Sendable {
    enum Verdict {
        case again(after: Duration)
        /// The read fails, and may be tried later.
        case later
        /// What lies there is lost.
        case never
    }

    private struct Failure {
        let offset: Int
        let since: MonotonicTime
        /// Of the last try.
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

    /// Between two tries: a failure after a longer one is another outage.
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
                let deadline = state.openDeadline ?? .after(ReadPatience.openTime)
                state.openDeadline = deadline
                return deadline.hasPassed ? .never : .again(after: ReadPatience.openInterval)
            }
            guard let failure = state.failures[name],
                now.since(failure.last) < ReadPatience.longestPause
            else {
                state.failures[name] = Failure(offset: offset, since: now, last: now)
                return servingTime > .zero ? .later : .never
            }
            state.failures[name]?.last = now
            return now.since(failure.since) < servingTime ? .later : .never
        }
    }

    /// A part of the file `name` could be read.
    func succeeded(_ name: String, _ part: Range<Int>) {
        state.withLock { state in
            guard let failure = state.failures[name], part.contains(failure.offset) else { return }
            state.failures[name] = nil
        }
    }

    /// The file `name` is gone, or holds something else now.
    func forget(_ name: String) { state.withLock { $0.failures[name] = nil } }
}
