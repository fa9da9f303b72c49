import Primitives
import SQLite

/// Why a scan has no result.
enum ScanFailure: Error {
    /// Its groups do not fit in memory.
    case tooLarge
    /// Its time is over, or nobody waits for it any more.
    case late
    case sqlite(SQLiteError)
}

/// How long one query may take and how much memory each of its parts may use, in all that is done
/// with rows outside of SQLite, which has a progress handler of its own. Any thread.
///
///     for (place, group) in groups.enumerated() {
///         try bounds.look(at: place)
///         …
///     }
final class ScanBounds: Sendable {
    /// Rows between two looks; one can add a few values of at most 256 KiB.
    static let interval = 64
    /// Short steps between two looks: a look costs some 50 ns, and these some 100 µs.
    static let steps = 1024
    /// Without any bounds: for what is small by itself.
    static let none = ScanBounds(limitBytes: .max)

    let limitBytes: Int
    private let deadline: Deadline
    private let isCancelled: (@Sendable () -> Bool)?
    private let exceeded = Locked(false)

    /// - Parameter limitBytes: for each part.
    init(
        limitBytes: Int, deadline: Deadline = .never,
        isCancelled: (@Sendable () -> Bool)? = nil
    ) {
        self.limitBytes = limitBytes
        self.deadline = deadline
        self.isCancelled = isCancelled
    }

    var isExceeded: Bool { exceeded.withLock { $0 } }

    /// - Throws: `late` once the deadline has passed or the query has been cancelled.
    func look() throws(ScanFailure) {
        if deadline.hasPassed || isCancelled?() == true { throw .late }
    }

    /// Looks once in `steps` steps.
    @inline(__always)
    func look(at step: Int) throws(ScanFailure) {
        if step & (ScanBounds.steps - 1) == 0 { try look() }
    }

    /// False once a part has become too large.
    func allows(_ byteCount: Int) -> Bool {
        if byteCount <= limitBytes { return true }
        exceeded.withLock { $0 = true }
        return false
    }
}
