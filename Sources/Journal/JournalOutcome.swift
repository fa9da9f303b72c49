internal import Glibc

/// What became of a submitted batch.
package enum JournalOutcome: Equatable, Sendable {
    /// Its records have these sequences and are safe, as far as `JournalOptions.sync` promises.
    /// An empty batch has `last` one below `first`.
    case committed(first: UInt64, last: UInt64)
    /// The cap is reached or the disk is full; nothing was taken.
    case full
    /// The disk failed with this `errno`, or the journal is closed (`ESHUTDOWN`); nothing was
    /// taken.
    case unwritable(code: Int32)

    static let closed = JournalOutcome.unwritable(code: ESHUTDOWN)

    init(failure code: Int32) {
        self = JournalError.isFull(code) ? .full : .unwritable(code: code)
    }
}
