import EventCoding
import Primitives
import Redis

/// Pending entries whose contents did not come although each was asked for alone: the time was over
/// for them, or the connection ended.
///
/// DESIGN. One such entry must not keep the reader from all others. It stays pending, neither counted
/// nor acknowledged, and is passed over until its next try. Where the time was over, that waits twice
/// as long, up to `AnswerLimit.longest`. Behind each failure none of them is tried for four times as
/// long as that took, so that most of the thread's time is left for what does come. One thread at a
/// time.
struct LateEntries {
    private struct Late {
        var limit: AnswerLimit
        var failures = 0
        var nextTry: MonotonicTime
    }

    /// 300 ms doubled five times are more than the longest limit, so that was tried then.
    private static let quickTries = 6
    private static let shortPause = Duration.seconds(1)
    private static let longPause = Duration.seconds(60)
    /// Of one partition, some 64 KiB. What lies beyond is not passed over.
    private static let countLimit = 1000

    /// By partition.
    private var entries: [[StreamEntryID: Late]]
    /// Before it none is tried.
    private var nextTry = MonotonicTime(nanoseconds: 0)

    init(partitions: Int) { entries = Array(repeating: [:], count: partitions) }

    var count: Int { entries.reduce(0) { $0 + $1.count } }

    func contains(_ entry: StreamEntryID, of partition: Int) -> Bool {
        entries[partition][entry] != nil
    }

    /// The time that its next answer gets; nil for one that is not late.
    func limit(of entry: StreamEntryID, of partition: Int) -> AnswerLimit? {
        entries[partition][entry]?.limit
    }

    /// It is late, and not to be tried yet.
    func isWaiting(_ entry: StreamEntryID, of partition: Int, at now: MonotonicTime) -> Bool {
        guard let late = entries[partition][entry] else { return false }
        return now < max(late.nextTry, nextTry)
    }

    /// Whether one of them is to be tried.
    func isDue(at now: MonotonicTime) -> Bool {
        now >= nextTry && entries.contains { $0.values.contains { now >= $0.nextTry } }
    }

    /// The contents of `entry` did not come.
    /// - Parameter limit: the time that they were given.
    /// - Returns: how often this has been so; nil where it cannot be noted.
    mutating func failed(
        _ entry: StreamEntryID, of partition: Int, _ code: RedisError.Code,
        within limit: AnswerLimit,
        at now: MonotonicTime
    ) -> Int? {
        guard entries[partition][entry] != nil || entries[partition].count < LateEntries.countLimit
        else { return nil }
        var late = entries[partition][entry] ?? Late(limit: limit, nextTry: now)
        late.limit = limit
        if code == .timeout { late.limit.timedOut() }
        late.failures += 1
        late.nextTry =
            now + (isStuck(late.failures) ? LateEntries.longPause : LateEntries.shortPause)
        entries[partition][entry] = late
        nextTry = now + (code == .timeout ? limit.current * 4 : LateEntries.shortPause)
        return late.failures
    }

    /// Whether it was given the longest time by now, or ended as many connections.
    func isStuck(_ failures: Int) -> Bool { failures >= LateEntries.quickTries }

    /// Its contents came.
    mutating func arrived(_ entry: StreamEntryID, of partition: Int) {
        entries[partition][entry] = nil
    }

    /// Forgets those that are not pending any more.
    mutating func keep(only pending: Set<StreamEntryID>, of partition: Int) {
        entries[partition] = entries[partition].filter { pending.contains($0.key) }
    }
}
