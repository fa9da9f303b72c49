import Primitives

/// When old events are deleted: a step at a time while there is something, else once a minute.
struct RetentionSchedule {
    private static let interval = Duration.seconds(60)

    private let retention: Duration?
    private var next = MonotonicTime(nanoseconds: 0)

    /// - Parameter retention: nil keeps everything.
    init(retention: Duration?) { self.retention = retention }

    /// The time, in milliseconds since 1970, before which events go; nil if nothing is due.
    func dueCutoff(now: MonotonicTime, wall: Int64) -> Int64? {
        guard let retention, now >= next else { return nil }
        return wall - retention.wholeMilliseconds
    }

    mutating func ran(isDone: Bool, now: MonotonicTime) {
        if isDone { next = now + RetentionSchedule.interval }
    }
}
