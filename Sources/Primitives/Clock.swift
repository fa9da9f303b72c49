internal import Glibc

/// A point on the monotonic clock, in nanoseconds since an arbitrary start.
package struct MonotonicTime: Comparable, Hashable, Sendable {
    package var nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// The corresponding C function is `clock_gettime(CLOCK_MONOTONIC)`.
    package static func now() -> MonotonicTime {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicTime(
            nanoseconds: UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec))
    }

    package static func < (a: MonotonicTime, b: MonotonicTime) -> Bool {
        a.nanoseconds < b.nanoseconds
    }

    package static func + (time: MonotonicTime, duration: Duration) -> MonotonicTime {
        MonotonicTime(nanoseconds: time.nanoseconds &+ UInt64(max(0, duration.wholeNanoseconds)))
    }

    /// The time from `earlier` to this; zero if `earlier` is later.
    package func since(_ earlier: MonotonicTime) -> Duration {
        nanoseconds <= earlier.nanoseconds
            ? .zero : .nanoseconds(Int64(clamping: nanoseconds - earlier.nanoseconds))
    }
}

/// The moment after which an answer is no longer of use.
package struct Deadline: Comparable, Hashable, Sendable {
    package var time: MonotonicTime

    package init(_ time: MonotonicTime) { self.time = time }

    package static let never = Deadline(MonotonicTime(nanoseconds: .max))

    package static func after(_ duration: Duration) -> Deadline {
        Deadline(MonotonicTime.now() + duration)
    }

    /// A deadline that passes earlier.
    package func before(_ margin: Duration) -> Deadline {
        let nanoseconds = UInt64(max(0, margin.wholeNanoseconds))
        guard self != .never else { return self }
        return Deadline(
            MonotonicTime(nanoseconds: time.nanoseconds - min(time.nanoseconds, nanoseconds)))
    }

    /// Zero once it has passed.
    package var remaining: Duration { time.since(.now()) }
    package var hasPassed: Bool { self != .never && MonotonicTime.now() >= time }

    package static func < (a: Deadline, b: Deadline) -> Bool { a.time < b.time }

    var timespec: Glibc.timespec {
        Glibc.timespec(
            tv_sec: Int(time.nanoseconds / 1_000_000_000),
            tv_nsec: Int(time.nanoseconds % 1_000_000_000))
    }
}

/// The wall clock: for the times that people read, never for deciding how long something took.
package enum WallClock {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    package static func nowMilliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}

extension Duration {
    package var wholeNanoseconds: Int64 {
        let parts = components
        return parts.seconds &* 1_000_000_000 &+ parts.attoseconds / 1_000_000_000
    }
    package var wholeMilliseconds: Int64 { wholeNanoseconds / 1_000_000 }
    package var inSeconds: Double { Double(wholeNanoseconds) / 1e9 }
}
