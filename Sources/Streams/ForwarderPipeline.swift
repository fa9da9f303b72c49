import EventCoding
import Journal
import Primitives
import Redis
import Storage

/// What the forwarder is about to send, and what it makes of Redis's answer. The forwarder's thread
/// only.
///
/// A pipeline holds the events of some records, in the order of the journal, or of some rows of the
/// store. One partition may refuse its part for good while the others took theirs: what each has is
/// remembered, so that it is not sent to them again.
final class ForwarderPipeline {
    /// What Redis said to a pipeline.
    struct Sent {
        /// Acknowledged from the first on without a hole.
        var records = 0
        /// The last id that each partition gave.
        var ends: [StreamEntryID]
        var failure: ForwarderError?
    }

    private let forwarder: StreamForwarder
    private(set) var encoder: StreamEncoder
    private var reader: JournalReader
    /// The journal's before `reader` was made: whatever it has read is of that one.
    private var journal: JournalIdentity
    /// What was read, how many of it have been encoded, and how much of the next.
    private var entries: [JournalEntry] = []
    private var encodedEntries = 0
    private var part = StreamEncoder.RecordPart()
    /// The reader stepped over records up to here at most that it did not find, after those that it
    /// gave before. The store may have them: it comes by earlier.
    private(set) var lostThrough: UInt64?
    /// Of the records that end in the pipeline: sequence, and commands up to its end.
    private var records: [(sequence: UInt64, commands: Int)] = []
    private var counts: [Int]
    /// By partition, what Redis has of the records beyond the position, and of the rows of gaps.
    private var accepted: [EventPlace]
    private var acceptedRows: [EventPlace]
    private var isOfRows = false
    /// What the mark in Redis says after the pipeline.
    private var mark: UInt64 = 0

    init(_ forwarder: StreamForwarder, after position: UInt64) {
        self.forwarder = forwarder
        journal = forwarder.journal.identity
        encoder = StreamEncoder(forwarder.options, keys: forwarder.keys, journal: journal)
        reader = JournalReader(forwarder.journal, from: position + 1)
        counts = Array(repeating: 0, count: forwarder.keys.count)
        accepted = Array(repeating: .start, count: forwarder.keys.count)
        acceptedRows = accepted
    }

    var eventCount: Int { encoder.eventCount }
    var recordCount: Int { records.count }
    var isEmpty: Bool { encoder.pipeline.isEmpty }
    /// The record of which the `count`th ends in the pipeline.
    func sequence(ofRecord count: Int) -> UInt64 { records[count - 1].sequence }

    /// Begins to read again after `position`.
    func restart(after position: UInt64) {
        journal = forwarder.journal.identity
        encoder.setJournal(journal)
        reader = JournalReader(forwarder.journal, from: position + 1)
        entries.removeAll()
        encodedEntries = 0
        lostThrough = nil
    }

    /// Whatever Redis took may be gone.
    func forgetAccepted() {
        for partition in accepted.indices {
            (accepted[partition], acceptedRows[partition]) = (.start, .start)
        }
    }

    // MARK: Filling it

    /// Encodes what waits in the journal.
    /// - Parameters:
    ///   - position: the last record that Redis has.
    ///   - barrier: nothing beyond it is to be sent yet; nil for no such record.
    /// - Returns: up to which record there is nothing to send, if that is beyond `position`. The
    ///   pipeline is then empty, as it is if `lostThrough` is known.
    func fill(
        after position: UInt64, upTo barrier: UInt64?, _ pace: SendPace
    ) throws(JournalError) -> UInt64 {
        begin(accepted, after: position, pace)
        isOfRows = false
        if encodedEntries == entries.count {
            try read(after: position, pace)
            if lostThrough != nil { return position }
            if entries.isEmpty { return max(reader.nextSequence - 1, position) }
        }
        while encodedEntries < entries.count {
            let entry = entries[encodedEntries]
            if let barrier, entry.sequence > barrier {
                if records.isEmpty { return max(position, barrier) }
                break
            }
            // What is no event goes to quarantine when the store comes to the record.
            let stop = encoder.add(
                entry.payload, sequence: entry.sequence, from: &part,
                leavingOut: forwarder.exchange.filter(resending: entry.sequence))
            if stop == .full { break }
            records.append((entry.sequence, encoder.pipeline.commandCount))
            encodedEntries += 1
            part = StreamEncoder.RecordPart()
        }
        encoder.finish()
        if forwarder.options.encoding == .frame {
            // A frame holds events of many records, so all of them are acknowledged at its end.
            for index in records.indices { records[index].commands = encoder.pipeline.commandCount }
        }
        mark = records.last?.sequence ?? position
        encoder.mark(mark)
        return position
    }

    private func read(after position: UInt64, _ pace: SendPace) throws(JournalError) {
        // What the old reader has in memory may be gone from the disk.
        if forwarder.journal.identity != journal { restart(after: position) }
        let lostBefore = reader.lostRecords
        entries = try reader.next(maxBytes: pace.readBytes)
        if reader.lostRecords > lostBefore { lostThrough = reader.nextSequence - 1 }
        encodedEntries = 0
        part = StreamEncoder.RecordPart()
    }

    /// Encodes rows of the store that Redis was not sent, in their order. Rows that an erasure asks for
    /// and that are not deleted yet are left out: the erasure is announced, so other nodes would store
    /// them.
    /// - Parameter position: the last record that Redis has.
    /// - Returns: the last row of the gap that was looked at; nil if there are no more.
    func fill(
        with gap: ForwarderCheckpoint.Gap, after position: UInt64, _ pace: SendPace
    ) throws(StorageError) -> Int64? {
        begin(acceptedRows, after: UInt64(clamping: gap.after), pace)
        isOfRows = true
        let tail = try forwarder.store.events(
            after: gap.after, limit: pace.limits.commands, maxBytes: pace.readBytes,
            deadline: .after(.seconds(5)))
        var last = gap.after
        for event in tail.events where event.seq <= gap.upTo {
            last = event.seq
            let erased = forwarder.store.erasures.filter(row: event.seq)
            event.withRow { row in
                if erased?.matches(row) != true { encoder.add(row, row: event.seq) }
            }
        }
        encoder.finish()
        records = [(position, encoder.pipeline.commandCount)]
        // Its last rows may be gone: retention deletes them.
        return tail.lastSeq >= gap.upTo || !tail.hasMore ? nil : last
    }

    private func begin(_ accepted: [EventPlace], after sequence: UInt64, _ pace: SendPace) {
        let next = EventPlace(sequence: sequence + 1, count: 0)
        let isPartlyAccepted = accepted.contains { $0 > next }
        encoder.removeAll(pace.limits, taken: isPartlyAccepted ? accepted : [])
        records.removeAll(keepingCapacity: true)
    }

    // MARK: The answer

    /// - Throws: if it is not Redis's answer to this pipeline. Nothing of it is believed then, and
    ///   the connection ends.
    func look(
        at replies: RedisReplies, _ session: borrowing RedisSession
    ) throws(RedisError) -> Sent {
        var sent = Sent(ends: try ends(in: replies, session))
        for index in counts.indices { counts[index] = 0 }
        var acknowledged = encoder.partitions.count
        for (index, reply) in replies.enumerated() {
            guard index < encoder.partitions.count else {
                if sent.failure == nil { marked(reply) }
                break
            }
            let partition = Int(encoder.partitions[index])
            if reply.kind == .string {
                counts[partition] += 1
            } else if sent.failure == nil {
                acknowledged = index
                sent.failure = .redis(failure(reply, forwarder.keys.names[partition]))
            }
        }
        // Records without events ask for nothing.
        sent.records = records.firstIndex { $0.commands > acknowledged } ?? records.count
        forwarder.lossDetector.acknowledged(sent.ends, counts: counts)
        remember(replies, hasFailed: sent.failure != nil)
        return sent
    }

    private func failure(_ reply: RedisReply, _ key: String) -> RedisError {
        let error = reply.error ?? RedisError(.unexpectedReply, "XADD was not answered with an id")
        return error.naming(key)
    }

    /// The last id that each partition gave; `.zero` for one that gave none.
    ///
    /// An id that is none, or that lies below what its partition gave before, is no proof that Redis
    /// has the events. A stream that was emptied may give lower ids, and so does one on another
    /// server; a look at Redis finds that, and its ids are those that count from then on.
    private func ends(
        in replies: RedisReplies, _ session: borrowing RedisSession
    ) throws(RedisError) -> [StreamEntryID] {
        var ends = Array(repeating: StreamEntryID.zero, count: counts.count)
        let before = forwarder.lossDetector.lastIDs
        for (index, reply) in replies.enumerated() where index < encoder.partitions.count {
            if reply.kind == .error { continue }
            let partition = Int(encoder.partitions[index])
            guard reply.kind == .string, let id = reply.bytes.flatMap({ StreamEntryID($0) }),
                id > max(ends[partition], before[partition])
            else {
                forwarder.lossDetector.suspect()
                throw session.reject(failure(reply, forwarder.keys.names[partition]))
            }
            ends[partition] = id
        }
        return ends
    }

    /// Remembers how far each partition is: up to the first event that it refused, or all the way.
    /// What it took after one that it refused is sent again.
    private func remember(_ replies: RedisReplies, hasFailed: Bool) {
        var places = isOfRows ? acceptedRows : accepted
        var hasRefused = Array(repeating: false, count: places.count)
        if hasFailed {
            for (index, reply) in replies.enumerated() where index < encoder.partitions.count {
                let partition = Int(encoder.partitions[index])
                if reply.kind != .string { hasRefused[partition] = true }
                guard !hasRefused[partition] else { continue }
                places[partition] = max(places[partition], encoder.places[index])
            }
        }
        for partition in places.indices where !hasRefused[partition] {
            places[partition] = max(places[partition], encoder.end)
        }
        if isOfRows { acceptedRows = places } else { accepted = places }
    }

    /// HSET answers how many fields are new. Where it is refused, for lack of room or rights, the
    /// events are there all the same.
    private func marked(_ reply: RedisReply) {
        guard let added = reply.integer else { return }
        forwarder.lossDetector.marked(mark, isNew: added == 1)
    }
}

extension RedisError {
    /// The same, said of a key: Redis does not name the one it means.
    func naming(_ key: String) -> RedisError { RedisError(code, "\(key): \(message)") }
}
