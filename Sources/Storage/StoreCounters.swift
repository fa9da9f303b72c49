import SQLite

/// The numbers that change with the rows they describe, kept in `meta` and written in the same
/// transaction: what a batch says about itself is never apart from what it did.
struct StoreCounters: Equatable {
    /// Sequence of the last journal record whose events are in the store.
    var position: Int64 = 0
    /// Highest `seq` ever given to an event. Never reused, also after its event was deleted:
    /// tails remember it.
    var lastSeq: Int64 = 0
    /// Events in the store.
    var rows: Int64 = 0
    /// Minutes below it may have been folded, see `Generations`.
    var generationHorizon: Int64 = Generations.firstMinute
    /// At least what any type counted whose name has gone, see `EventStore.removeUnusedNames`.
    var generationFloor: Int64 = 0
    /// Rows up to `setHashFilled`, and rows after `setHashEnd`, are in the set hashes of their
    /// generations, see `SetHashFill`.
    var setHashFilled: Int64 = 0
    var setHashEnd: Int64 = 0
    var quarantineRows: Int64 = 0
    /// Bytes of `raw` in quarantine.
    var quarantineBytes: Int64 = 0
    /// Refused events that went from quarantine to make room, ever.
    var quarantineTrimmed: Int64 = 0

    /// Erased events whose identities are known.
    var erasedIdentities: Int64 = 0

    var deadLetterRows: Int64 = 0
    /// Bytes of the events among the dead letters.
    var deadLetterBytes: Int64 = 0
    /// Dead letters that went to make room, ever.
    var deadLetterTrimmed: Int64 = 0

    private typealias Field = (
        name: String, path: any WritableKeyPath<StoreCounters, Int64> & Sendable
    )
    private static let fields: [Field] = [
        ("journal_position", \.position), ("last_seq", \.lastSeq), ("event_count", \.rows),
        ("generation_horizon", \.generationHorizon), ("set_hash_filled", \.setHashFilled),
        ("set_hash_end", \.setHashEnd), ("quarantine_count", \.quarantineRows),
        ("quarantine_bytes", \.quarantineBytes), ("quarantine_trimmed", \.quarantineTrimmed),
        ("dead_letter_count", \.deadLetterRows), ("dead_letter_bytes", \.deadLetterBytes),
        ("dead_letter_trimmed", \.deadLetterTrimmed), ("erased_count", \.erasedIdentities),
        ("generation_floor", \.generationFloor),
    ]

    var areSetHashesKnown: Bool { setHashFilled >= setHashEnd }

    func isSetHashed(_ seq: Int64) -> Bool { seq <= setHashFilled || seq > setHashEnd }

    /// The names of types go. A row counts once when it comes and once when it goes, on top of what
    /// its type began at.
    mutating func raiseGenerationFloor() {
        generationFloor = max(generationFloor, 2 * min(lastSeq, Int64.max / 8))
    }

    init() {}

    /// Reads the numbers; those that were never written keep their start.
    init(_ connection: Connection) throws(SQLiteError) {
        let select = try connection.prepare("SELECT value FROM meta WHERE key = ?1")
        for field in StoreCounters.fields {
            select.bind(1, field.name)
            if try select.step() { self[keyPath: field.path] = select.integer(0) }
            select.reset()
        }
    }

    /// Whether the numbers can be true: a damaged file may say anything, and what is computed with
    /// them must not trap.
    /// - Parameter highestSeq: of the events that are there.
    func arePlausible(highestSeq: Int64) -> Bool {
        let plausible = 0...(Int64.max / 4)
        return StoreCounters.fields.allSatisfy { field in
            field.path == \.generationHorizon || plausible.contains(self[keyPath: field.path])
        } && highestSeq <= lastSeq
    }

    /// Writes what differs from `previous`.
    func save(_ connection: Connection, previous: StoreCounters) throws(SQLiteError) {
        guard self != previous else { return }
        let upsert = try connection.cached(
            """
            INSERT INTO meta(key, value) VALUES(?1, ?2)
            ON CONFLICT(key) DO UPDATE SET value = excluded.value
            """)
        for field in StoreCounters.fields
        where self[keyPath: field.path] != previous[keyPath: field.path] {
            upsert.bind(1, field.name)
            upsert.bind(2, self[keyPath: field.path])
            try upsert.run()
        }
    }
}
