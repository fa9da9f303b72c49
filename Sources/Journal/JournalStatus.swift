import Primitives

/// Whether the journal takes events.
package enum JournalHealth: Equatable, Sendable {
    case ok
    /// The cap is reached or the disk is full.
    case full
    /// The disk failed with this `errno`; nothing is taken until a write and a sync succeeded.
    case unwritable(code: Int32)

    package var name: String {
        switch self {
        case .ok: "ok"
        case .full: "full"
        case .unwritable: "unwritable"
        }
    }
}

/// The journal at one moment, as `/status` shows it.
package struct JournalStatus: Sendable {
    package var health = JournalHealth.ok
    package var sync = JournalOptions.Sync.always
    /// All segments with the spare ones.
    package var bytesOnDisk = 0
    /// What the cap counts: segments that some consumer still needs.
    package var retainedBytes = 0
    package var segments = 0
    package var spareSegments = 0
    /// The oldest sequence on disk; `nextSequence` if there is none.
    package var firstSequence: UInt64 = 1
    package var nextSequence: UInt64 = 1
    package var committedSequence: UInt64 = 0
    /// How far each consumer is.
    package var released: [String: UInt64] = [:]
    package var damage = JournalDamage()
    /// Writes and syncs that failed since the start.
    package var failures: UInt64 = 0
    package var commits: UInt64 = 0
    /// Moving average over some ten syncs.
    package var syncMicroseconds: Double = 0
}

/// What was found broken since the start.
package struct JournalDamage: Equatable, Sendable {
    /// Records whose bytes do not match their checksum.
    package var damagedRecords: UInt64 = 0
    /// Sequences that nothing on disk mentions any more.
    package var missingRecords: UInt64 = 0
    /// Records cut from the end at the start: writes that a crash tore, so not acknowledged ones.
    package var tailRecords: UInt64 = 0
    /// Names of files that were linked or moved to `damaged`.
    package var setAside: [String] = []
}
