/// How far an event has to be before its client is answered.
package enum AckLevel: String, CaseIterable, Sendable {
    /// Synced to this node's disk.
    case journaled
    /// Also acknowledged by Redis.
    case streamed
    /// Visible to `/query`.
    case stored
}
