/// What the data was when an answer was computed from it: how often it had changed, and which
/// identities it held.
///
/// On one node equal counts mean equal answers, and a larger count is newer. Between nodes a count
/// is no identity: {x, y} and {x, z} count the same while both are on their way. Equal set hashes,
/// the wrapping sum of the hashes of the identities, mean the same set.
package struct GenerationStamp: Hashable, Sendable {
    /// Changes so far; only grows.
    package var count: Int64
    package var setHash: UInt64

    package init(count: Int64, setHash: UInt64) {
        self.count = count
        self.setHash = setHash
    }
}
