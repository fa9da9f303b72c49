internal import CLogRing
import Primitives

/// What the ticks in records mean: nanoseconds since 1970. The back end's thread alone.
///
/// The processor's counter gives no time of day. Each pass reads both clocks and counts back from
/// there, so an error of the rate, well below 1 in 1,000 after the first millisecond, matters for
/// the age of a record only, some milliseconds.
struct LogClock {
    private let startTicks: UInt64
    private let start = MonotonicTime.now()
    /// Both at the same moment, as far as can be.
    private var ticks: UInt64
    private var time: UInt64
    private var nanosecondsPerTick = 1.0

    init() {
        millrace_log_choose_clock()
        startTicks = millrace_log_ticks()
        ticks = startTicks
        time = millrace_log_time()
    }

    /// Reads the clocks.
    /// - Returns: the ticks of now.
    mutating func look() -> UInt64 {
        // The rate needs a moment between two readings, once.
        if millrace_log_uses_counter(), ticks == startTicks {
            sleep(until: Deadline(start + .milliseconds(2)))
        }
        ticks = millrace_log_ticks()
        time = millrace_log_time()
        if millrace_log_uses_counter() {
            let elapsed = Double(MonotonicTime.now().since(start).wholeNanoseconds)
            nanosecondsPerTick = elapsed / Double(max(ticks &- startTicks, 1))
        }
        return ticks
    }

    /// The time of a record, as of the last look.
    func nanoseconds(_ recordTicks: UInt64) -> UInt64 {
        guard millrace_log_uses_counter() else { return recordTicks }
        let age = Double(Int64(bitPattern: ticks &- recordTicks)) * nanosecondsPerTick
        return UInt64(max(0, Int64(clamping: time) - Int64(age)))
    }

    /// How many ticks the duration takes.
    func ticks(_ duration: Duration) -> UInt64 {
        UInt64(Double(duration.wholeNanoseconds) / max(nanosecondsPerTick, 0.001))
    }
}
