/// How many events a lane sends in one request. The lane's thread only.
///
/// A receiver that needs longer for a batch than it is given would get the same batch for ever. So
/// after two timeouts with one it is sent in halves; what is taken doubles the size again.
struct SinkRequestSize {
    /// Timeouts in a row by which a request is known to be too large, or the receiver to be away.
    static let timeoutLimit = 2

    private let limit: Int
    private(set) var count: Int

    /// - Parameter limit: the most that it may be.
    init(limit: Int) {
        self.limit = limit
        count = limit
    }

    mutating func timedOut(_ sent: Int) { count = max(1, min(count, sent / 2)) }

    mutating func delivered(_ sent: Int) {
        if sent >= count { count = min(limit, count * 2) }
    }
}
