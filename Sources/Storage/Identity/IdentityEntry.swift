/// What the identity index holds of a row: enough to find it, not enough to be sure. Whether the row
/// has the identity that was asked for is decided by the row.
struct IdentityEntry: BitwiseCopyable {
    /// 64 evenly spread bits of the identity.
    var fingerprint: UInt64
    /// Of the row; above 0.
    var seq: Int64
}

/// Rows by their `seq`: those after `after`, up to `last`.
struct SeqRange: Equatable, Sendable {
    var after: Int64
    var last: Int64

    var count: Int64 { last - after }
    var isEmpty: Bool { last <= after }
}
