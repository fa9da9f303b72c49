import Primitives
import Redis

/// How much the forwarder sends at a time, and how long it waits for the answer and after a failure. One
/// thread at a time.
struct SendPace {
    /// Of a full pipeline; a record that is larger goes in several. A Redis that takes 50 µs for a
    /// command is through in 200 ms.
    private static let pipeline = StreamEncoder.Limits(commands: 4096, bytes: 2 << 20)
    /// What does not answer in this time counts as away: a full pipeline takes Redis some 10 ms.
    /// After each timeout it doubles, so that a Redis that is only slow gets through.
    private static let answerLimits = Duration.milliseconds(250)...Duration.seconds(2)
    /// Of one read of the journal, for JSON is larger. After a failure it begins small, and the
    /// pipeline with it, in the same proportion: a trial with a full pipeline of what waited could be
    /// slow, which opens the breaker for twice as long, and there would never be less. It grows once
    /// the breaker is closed.
    private static let readLimits = (16 << 10)...(512 << 10)

    private(set) var answerLimit = SendPace.answerLimits.lowerBound
    private(set) var readBytes = SendPace.readLimits.lowerBound
    private var pause = StreamPause()

    /// Of the next pipeline.
    var limits: StreamEncoder.Limits {
        // 1 while all is well.
        let shrinkage = SendPace.readLimits.upperBound / readBytes
        return StreamEncoder.Limits(
            commands: SendPace.pipeline.commands / shrinkage,
            bytes: SendPace.pipeline.bytes / shrinkage)
    }

    mutating func succeeded(isBreakerClosed: @autoclosure () -> Bool) {
        pause = StreamPause()
        answerLimit = SendPace.answerLimits.lowerBound
        guard readBytes < SendPace.readLimits.upperBound, isBreakerClosed() else { return }
        readBytes = min(2 * readBytes, SendPace.readLimits.upperBound)
    }

    /// - Parameter code: nil for a failure that was not Redis's.
    /// - Returns: how long to wait before the next try.
    mutating func failed(_ code: RedisError.Code?) -> Duration {
        readBytes = SendPace.readLimits.lowerBound
        if code == .timeout {
            answerLimit = min(answerLimit * 2, SendPace.answerLimits.upperBound)
        }
        return pause.next(after: code)
    }
}
