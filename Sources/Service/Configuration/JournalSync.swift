/// When the journal is synced to disk.
package enum JournalSync: String, CaseIterable, Sendable {
    /// Before an event is acknowledged.
    case always
    /// At an interval: an acknowledged event may be lost with the power, not with the process.
    case interval
}
