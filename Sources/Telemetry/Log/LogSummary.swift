internal import CLogRing
import Primitives

/// Says in the log itself what the log has lost. The back end's thread alone.
struct LogSummary {
    private static let interval = Duration.seconds(1)

    private let drops: LogDrops
    /// What the last summary has told, by reason.
    private var told: [LogDropReason: UInt64] = [:]
    private var toldLost: UInt64 = 0
    private var next = MonotonicTime(nanoseconds: 0)

    init(_ drops: LogDrops) { self.drops = drops }

    /// Adds a record if something was lost since the last one, at most one a second.
    /// - Parameter isLast: does not wait for the second to end.
    mutating func add(to writer: inout LogWriter, isLast: Bool) {
        let lost = drops.lost
        guard lost > toldLost else { return }
        let now = MonotonicTime.now()
        guard isLast || now >= next else { return }
        next = now + LogSummary.interval
        // Six fields of 16 bytes, behind the header.
        withUnsafeTemporaryAllocation(byteCount: 160, alignment: 8) { space in
            guard let base = space.baseAddress else { return }
            write(at: base, space.count)
            var record = LogRecord(base)
            record.nanoseconds = millrace_log_time()
            writer.add(record)
        }
    }

    private mutating func write(at base: UnsafeMutableRawPointer, _ count: Int) {
        let message: StaticString = "log records were dropped"
        var fields = LogFields(cursor: base + LogLayout.headerBytes, limit: base + count)
        for reason in LogDropReason.allCases where reason != .sampled {
            let total = drops.count(reason)
            let news = total - told[reason, default: 0]
            told[reason] = total
            if news > 0 { fields.add(reason.key, news) }
        }
        toldLost = told.values.reduce(0, +)
        let size = UInt64(fields.cursor - base)
        let head = size | UInt64(LogLevel.warning.rawValue) << 32
        base.storeBytes(of: head | UInt64(message.utf8CodeUnitCount) << 48, as: UInt64.self)
        base.storeBytes(
            of: UInt64(UInt(bitPattern: message.utf8Start)), toByteOffset: 16, as: UInt64.self)
    }
}

extension LogDropReason {
    fileprivate var key: StaticString {
        switch self {
        case .queueFull: "queue_full"
        case .tooLarge: "too_large"
        case .sinkError: "sink_error"
        case .sampled: "sampled"
        case .shutdown: "shutdown"
        }
    }
}
