import Primitives
import Telemetry

/// Why a record was not sent on.
package enum LogForwardDrop: Int, CaseIterable, Sendable {
    /// The disk is slower than what comes in.
    case queueFull
    /// What waits on disk has reached its limit: the receiver has been away for too long.
    case spoolFull
    /// The disk failed or is full.
    case spoolError
    /// It was on disk and cannot be read any more.
    case damaged
    /// The receiver refused the request that it was in.
    case refused
    /// The receiver took the request and said that it left some records out.
    case rejected

    /// As reports name it.
    package var name: String {
        switch self {
        case .queueFull: "queue_full"
        case .spoolFull: "spool_full"
        case .spoolError: "spool_error"
        case .damaged: "damaged"
        case .refused: "refused"
        case .rejected: "rejected"
        }
    }
}

/// What has become of one forward's records since start. Any thread.
package final class LogForwardCounters: Sendable {
    package let delivered = Counter()
    package let requests = Counter()
    /// Attempts that are tried again.
    package let failed = Counter()
    /// Attempts that got an answer, of whatever kind.
    package let durations = Histogram()
    private let drops = LogForwardDrop.allCases.map { _ in Counter() }
    private let error: Locked<String?> = Locked(nil)

    /// What is wrong at present; nil while all goes well.
    package var lastError: String? { error.withLock { $0 } }

    package func dropped(_ reason: LogForwardDrop) -> UInt64 { drops[reason.rawValue].count }

    func drop(_ reason: LogForwardDrop, _ records: Int) { drops[reason.rawValue].add(records) }

    /// - Returns: whether it differs from what was there.
    func note(_ text: String?) -> Bool {
        error.withLock { error in
            defer { error = text }
            return error != text
        }
    }
}
