import EventCoding

/// An entry that the group was given before and has not acknowledged, as `XPENDING` lists it.
///
/// DESIGN. An entry may be what ends the process, and then it must not end it for ever. The count
/// of deliveries that Redis keeps is the evidence, and only as long as nothing else raises it: so
/// entries are looked up with `XRANGE`, which counts nothing, taken over with `JUSTID`, which counts
/// nothing either, and counted (`XCLAIM … RETRYCOUNT`) when their contents have arrived and are
/// about to be decoded and stored. An answer that was lost or late is no try. A process that ends
/// in an orderly way takes back what it counted and did not get stored.
///
/// A poison entry crashes the process with its whole batch, so suspects are retried in batches that
/// halve with each further try, until each is alone: healthy entries are stored long before any entry
/// is given up.
package struct PendingEntry: Equatable, Sendable {
    package var id: StreamEntryID
    /// The first delivery, and each try since.
    package var deliveries: Int64

    /// Deliveries up to which an entry is stored with all others.
    static let deliveriesBeforeIsolation: Int64 = 5
    /// Deliveries after which an entry is not even tried: the last nine tries it had alone.
    package static let deliveriesBeforeGivingUp: Int64 = 20
    /// Entries that are tried together when they stand out first.
    private static let largestGroup: Int64 = 64

    package var isSuspect: Bool { deliveries > PendingEntry.deliveriesBeforeIsolation }
    package var isGivenUp: Bool { deliveries > PendingEntry.deliveriesBeforeGivingUp }

    /// The front of `entries` that is tried together; they are in the order of `inOrderOfTrial`.
    static func group(of entries: ArraySlice<PendingEntry>) -> ArraySlice<PendingEntry> {
        guard let first = entries.first else { return entries }
        if !first.isSuspect { return entries.prefix { !$0.isSuspect } }
        if first.isGivenUp { return entries.prefix { $0.isGivenUp } }
        let halvings = min(first.deliveries - deliveriesBeforeIsolation - 1, 62)
        let limit = max(largestGroup >> halvings, 1)
        return entries.prefix { $0.deliveries == first.deliveries }.prefix(Int(limit))
    }

    /// What is least likely to do harm comes first.
    static func inOrderOfTrial(_ entries: [PendingEntry]) -> [PendingEntry] {
        guard entries.contains(where: \.isSuspect) else { return entries }
        let fresh = entries.filter { !$0.isSuspect }
        let suspects = entries.filter { $0.isSuspect && !$0.isGivenUp }
        return fresh + suspects.sorted { ($0.deliveries, $0.id) < ($1.deliveries, $1.id) }
            + entries.filter(\.isGivenUp)
    }
}
