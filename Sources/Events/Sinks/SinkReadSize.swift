import Primitives
import Redis

/// How many entries a lane asks for in one read, and how long it waits for the answer. The lane's
/// thread only.
///
/// What did not come may have been too much, for the time or for the server: 200 events of 256 KiB
/// are 50 MiB. So after an error that ended the connection a lane asks for a quarter, down to one
/// entry, and where the time was over it also waits twice as long. Asked for in the same way, what
/// cannot be answered in time would be asked for for ever, and its timeouts would open the breaker
/// that all sinks share. Both grow back with what is answered.
struct SinkReadSize {
    /// What one read should bring, decoded; what lies beyond waits for the next.
    static let budgetBytes = 4 << 20

    private(set) var count = 200
    private var patience = AnswerLimit(.seconds(1))
    var answerLimit: Duration { patience.current }

    /// Notes why a read got no answer.
    /// - Parameter asked: for so many entries.
    mutating func failed(_ code: RedisError.Code, asked: Int) {
        guard code.endsConnection else { return }
        count = max(min(count, asked) / 4, 1)
        if code == .timeout { patience.timedOut() }
    }

    /// Notes what a read brought.
    /// - Parameters:
    ///   - bytes: of those entries, decoded.
    ///   - limit: how far the count may grow.
    ///   - time: that the answer took.
    mutating func succeeded(
        asked: Int, entries: Int, bytes: Int, upTo limit: Int, after time: Duration
    ) {
        patience.answered(after: time)
        if bytes > SinkReadSize.budgetBytes {
            count = max(entries * SinkReadSize.budgetBytes / bytes, 1)
        } else if entries >= asked, bytes < SinkReadSize.budgetBytes / 2 {
            count = min(2 * count, max(count, limit))
        }
    }
}
