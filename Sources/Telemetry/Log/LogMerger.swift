internal import CLogRing
import Primitives

/// Takes records out of all rings in the order of their times. The back end's thread alone.
struct LogMerger {
    /// What of a ring this pass reads.
    private struct Front {
        let ring: LogRings.Ring
        let bytes: UnsafeRawPointer
        let capacity: UInt64
        var tail: UInt64
        let head: UInt64
        /// Of the next record; `.max` when there is none left.
        var time: UInt64 = 0

        init(_ ring: LogRings.Ring) {
            self.ring = ring
            bytes = UnsafeRawPointer(ring.pointee.bytes)
            capacity = ring.pointee.capacity
            tail = millrace_log_tail(ring)
            head = millrace_log_head(ring)
            look()
        }

        var record: LogRecord { LogRecord(bytes + Int(tail % capacity)) }
        mutating func look() { time = tail == head ? .max : record.ticks }
    }

    /// Time for a thread to publish the record whose time it has taken.
    private static let grace = Duration.milliseconds(1)
    /// Of a pass, or one busy thread would keep the back end from handing anything over.
    private static let passLimit = 16_384
    /// Taken from one ring before its space is given back.
    private static let runLimit = 64

    private let source: LogRings
    private var rings: [LogRings.Ring] = []
    private var version = 0
    private var fronts: [Front] = []
    private var clock = LogClock()
    /// The last pass left records that were too young.
    private(set) var hasYoung = false

    init(_ source: LogRings) { self.source = source }

    /// Calls `body` with what is due, in order.
    /// - Parameter takesAll: also with what is younger than the grace.
    /// - Returns: how many records there were.
    mutating func pass(takesAll: Bool, _ body: (LogRecord) -> Void) -> Int {
        if let changed = source.changed(since: &version) { rings = changed }
        fronts.removeAll(keepingCapacity: true)
        var isPressed = takesAll
        for ring in rings {
            let front = Front(ring)
            guard front.time != .max else { continue }
            if front.head - front.tail > front.capacity / 4 { isPressed = true }
            fronts.append(front)
        }
        hasYoung = false
        guard !fronts.isEmpty else { return 0 }
        let now = clock.look()
        let due = isPressed ? UInt64.max - 1 : now - clock.ticks(LogMerger.grace)
        let future = now + clock.ticks(.seconds(1))
        var count = 0
        while count < LogMerger.passLimit, let run = nextRun() {
            // A time of the future is due as well: the clock was set back.
            let time = fronts[run.index].time
            guard time <= due || time > future else {
                hasYoung = true
                break
            }
            count += take(run.index, until: max(min(run.other, due), time), body)
        }
        return count
    }

    /// The ring whose record is the oldest, and the time of the next ring's.
    private func nextRun() -> (index: Int, other: UInt64)? {
        var (index, least, other) = (-1, UInt64.max, UInt64.max)
        for (position, front) in fronts.enumerated() {
            if front.time < least {
                other = least
                (index, least) = (position, front.time)
            } else if front.time < other {
                other = front.time
            }
        }
        return index < 0 ? nil : (index, other)
    }

    private mutating func take(
        _ index: Int, until limit: UInt64, _ body: (LogRecord) -> Void
    ) -> Int {
        var front = fronts[index]
        var count = 0
        while front.time <= limit, front.time != .max, count < LogMerger.runLimit {
            var record = front.record
            record.nanoseconds = clock.nanoseconds(record.ticks)
            body(record)
            front.tail += UInt64(record.size)
            front.look()
            count += 1
        }
        millrace_log_set_tail(front.ring, front.tail)
        fronts[index] = front
        return count
    }
}
