import EventCoding
import Journal
import Primitives
import Storage

/// Storing each event by itself, where one of many makes the store fail.
///
/// Only a mistake of ours is bound to an event (`StorageError.Code.misuse`); a disk's failure is not.
extension EventWriter {
    /// Attempts after which the events of a batch are stored one by one.
    static let attemptLimit = 5

    /// How often the store failed at the same records.
    struct Suspicion {
        private var position: UInt64 = 0
        private var attempts = 0

        /// - Parameter position: of the store.
        /// - Returns: whether that was often enough.
        mutating func failed(at position: UInt64) -> Bool {
            attempts = position == self.position ? attempts + 1 : 1
            self.position = position
            return attempts >= EventWriter.attemptLimit
        }
    }

    /// Stores records at which the store failed again and again.
    /// - Parameter position: the last record that is passed then.
    func storeOneByOne(_ records: [JournalEntry], upTo position: UInt64) throws(StorageError) {
        try storeOneByOne(records.map(\.payload)) { index in
            store.erasures.filter(record: records[index].sequence)
        }
        try store.write(position: position) { _ in }
    }

    /// Stores each event in a transaction of its own, and sets aside those that cannot be stored.
    /// - Parameters:
    ///   - payloads: events in the journal's form.
    ///   - filter: those of a payload of which only the identity is to be kept.
    /// - Throws: if the store takes no event at all. Then it is not one of these that does it, and none
    ///   is set aside.
    func storeOneByOne(
        _ payloads: [UnsafeRawBufferPointer], erasing filter: (Int) -> ErasureFilter?
    ) throws(StorageError) {
        var failures: [(event: UnsafeRawBufferPointer, error: StorageError)] = []
        for (index, payload) in payloads.enumerated() {
            for event in EventWriter.events(in: payload) {
                do throws(StorageError) {
                    try store.write(position: nil) { (inserter) throws(StorageError) in
                        try add(event, to: inserter, erasing: filter(index))
                        try flush(inserter)
                    }
                } catch {
                    guard error.code == .misuse else { throw error }
                    failures.append((event, error))
                }
            }
        }
        if let first = failures.first, !canStore { throw first.error }
        for failure in failures {
            try store.write(position: nil) { (inserter) throws(StorageError) in
                setAside(.record(failure.event, "given_up", failure.error.message), inserter)
            }
        }
    }

    /// Whether the store takes an event that nothing is wrong with. It is not kept.
    private var canStore: Bool {
        let (type, source) = (Bytes("millrace.probe"), Bytes("/"))
        let key = Key128(high: .random(in: .min ... .max), low: .random(in: .min ... .max))
        let probe = EventRow(
            identity: .generated(key), time: WallClock.nowMilliseconds(), type: type.span,
            source: source.span, subject: nil, data: nil, extensions: nil)
        defer { withExtendedLifetime((type, source)) {} }
        return store.wouldStore(probe)
    }

    /// The bytes of each event. The last holds what is left where that is none.
    private static func events(in payload: UnsafeRawBufferPointer) -> [UnsafeRawBufferPointer] {
        var parts: [UnsafeRawBufferPointer] = []
        var events = EventPayload(payload)
        while true {
            let start = events.offset
            guard let isThere = try? events.skip() else {
                parts.append(UnsafeRawBufferPointer(rebasing: payload[start...]))
                return parts
            }
            guard isThere else { return parts }
            parts.append(UnsafeRawBufferPointer(rebasing: payload[start..<events.offset]))
        }
    }
}
