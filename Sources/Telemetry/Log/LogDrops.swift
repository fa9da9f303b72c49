/// Why a record was not written.
package enum LogDropReason: String, CaseIterable, Sendable {
    /// The ring, or the queue of a sink, had no room.
    case queueFull = "queue_full"
    /// Larger than a record may be.
    case tooLarge = "too_large"
    /// A sink failed for so long that its queue filled up.
    case sinkError = "sink_error"
    /// One of many alike.
    case sampled
    /// It came after the log was closed, or could not be written before the deadline of closing.
    case shutdown
}

/// Records that were not written, by reason. Any thread.
package final class LogDrops: Sendable {
    private let counters = LogDropReason.allCases.map { _ in Counter() }

    func add(_ reason: LogDropReason, _ count: Int = 1) {
        counters[reason.index].add(count)
    }

    package func count(_ reason: LogDropReason) -> UInt64 { counters[reason.index].count }

    /// Of all reasons but sampling, which was asked for.
    package var lost: UInt64 {
        LogDropReason.allCases.reduce(0) { $1 == .sampled ? $0 : $0 + count($1) }
    }
}

extension LogDropReason {
    fileprivate var index: Int {
        switch self {
        case .queueFull: 0
        case .tooLarge: 1
        case .sinkError: 2
        case .sampled: 3
        case .shutdown: 4
        }
    }
}
