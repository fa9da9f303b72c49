import Primitives
import Redis

/// How many entries of a partition a group reader asks for in one read, and how long it waits for the
/// answer. One thread at a time.
///
/// What did not come may have been too much, for the time or for the server: 200 events of 256 KiB
/// are 50 MiB. So after an error that ended the connection a quarter is asked for, down to one entry,
/// and where the time was over the next answer may take twice as long. Asked for in the same way, what
/// cannot be answered in time would be asked for for ever, and its timeouts would open the breaker.
/// Both come back with what is answered.
package struct ReadSize {
    /// What one read should bring, decoded.
    package static let budgetBytes = 4 << 20
    package static let first = 200
    /// Half of what a breaker calls slow.
    private static let longAnswer = Duration.milliseconds(50)

    package private(set) var count = ReadSize.first
    private(set) var patience: AnswerLimit
    /// The time doubles only where a single entry was asked for. A store then notices soon that Redis
    /// is away; it passes over an entry that takes longer, which a sink cannot.
    private let isHasty: Bool

    /// - Parameter answerLimit: the shortest.
    package init(answerLimit: Duration, isHasty: Bool = false) {
        patience = AnswerLimit(answerLimit)
        self.isHasty = isHasty
    }

    package var answerLimit: Duration { patience.current }

    /// An entry arrived that had a limit of its own: the next may be as large.
    mutating func waitAsLong(as other: AnswerLimit) { patience.raise(to: other) }

    /// A read got no answer.
    /// - Parameter asked: for so many entries of a partition.
    package mutating func failed(_ code: RedisError.Code, asked: Int) {
        guard code.endsConnection else { return }
        if code == .timeout, asked == 1 || !isHasty { patience.timedOut() }
        count = max(min(count, asked) / 4, 1)
    }

    /// A read was answered.
    /// - Parameters:
    ///   - asked: entries of a partition that were asked for.
    ///   - entries: that came, of all `partitions`.
    ///   - bytes: of those entries, decoded.
    ///   - limit: how far the count may grow.
    ///   - time: that the answer took.
    package mutating func succeeded(
        asked: Int, entries: Int, of partitions: Int = 1, bytes: Int, upTo limit: Int,
        after time: Duration
    ) {
        if entries > 0 { patience.answered(after: time) }
        let isLong = time > ReadSize.longAnswer
        if bytes > ReadSize.budgetBytes {
            count = max(entries / partitions * ReadSize.budgetBytes / bytes, 1)
        } else if entries < asked {
            return
        } else if isLong, count > ReadSize.first {
            // Where the way is long, few entries take as long.
            count = max(count / 2, ReadSize.first)
        } else if bytes < ReadSize.budgetBytes / 2 {
            count = min(2 * count, max(count, isLong ? min(limit, ReadSize.first) : limit))
        }
    }
}
