import Primitives
import Redis
import Storage
import Telemetry

/// The forwarder's thread and what belongs to it alone.
final class ForwarderRun {
    let forwarder: StreamForwarder
    var note: ForwarderNote
    var encoder: StreamEncoder
    private var reader: JournalReader
    /// The journal's before `reader` was made: whatever it has read is of that one.
    private var journal: JournalIdentity
    /// Connections of the lane, when it was looked at.
    var lookedAt: UInt64 = 0
    /// The mark of what was sent before was not there any more.
    var hasLostMark = false
    private var noteIsNew = false
    private var nextNote: MonotonicTime
    private var pause = StreamPause()
    private(set) var sendLimit = ForwarderRun.sendLimits.lowerBound
    /// What was read, how many of it have been encoded, and how much of the next.
    private var entries: [JournalEntry] = []
    private var encodedEntries = 0
    private var part = StreamEncoder.RecordPart()
    /// Of the records that end in the pipeline: sequence, and commands up to its end.
    private(set) var records: [(sequence: UInt64, commands: Int)] = []
    var counts: [Int]
    /// By partition, what Redis has of the records behind the position, and of the rows of gaps: one
    /// partition may refuse its part for good while the others would be sent theirs ever again.
    var taken: [EventPlace]
    var takenRows: [EventPlace]
    /// The pipeline holds rows.
    private(set) var isSendingGap = false
    /// What the journal is let go of is in no note yet.
    private var hasUnnotedGap = false

    /// Between two notes of the position: what a crash sends again.
    private static let noteInterval = Duration.seconds(1)
    /// Also how long others wait at most until it looks at a Redis that they doubt.
    private static let idleWait = Duration.milliseconds(25)
    /// What does not answer in this time counts as away: a full pipeline takes Redis some 10 ms.
    /// After each timeout it doubles, so that a Redis that is only slow gets through.
    private static let sendLimits = Duration.milliseconds(250)...Duration.seconds(2)
    /// Of a full pipeline; a record that is larger goes in several. A Redis that takes 50 µs for a
    /// command is through in 200 ms.
    private static let pipeline = StreamEncoder.Limits(commands: 4096, bytes: 2 << 20)
    /// Of one read of the journal, for JSON is larger. After a failure it begins small, and the
    /// pipeline with it, in the same proportion: a trial with a full pipeline of what waited could be
    /// slow, which opens the breaker for twice as long, and there would never be less. It grows once
    /// the breaker is closed.
    private static let readBytes = (16 << 10)...(512 << 10)
    private var nextReadBytes = ForwarderRun.readBytes.lowerBound

    init(_ forwarder: StreamForwarder, _ note: ForwarderNote) {
        self.forwarder = forwarder
        self.note = note
        journal = forwarder.journal.identity
        encoder = StreamEncoder(forwarder.options, keys: forwarder.keys, journal: journal)
        reader = JournalReader(forwarder.journal, from: note.position + 1)
        counts = Array(repeating: 0, count: forwarder.keys.count)
        taken = Array(repeating: .start, count: forwarder.keys.count)
        takenRows = taken
        nextNote = .now()
        if let kept = note.kept { forwarder.marks.begin(with: kept) }
    }

    /// Until it is stopped and everything is sent, or the time for that is over.
    func run() {
        while !shouldEnd {
            do throws(ForwarderError) {
                let hasLooked = try verify()
                try announceErasures()
                let isBusy = isGapNext ? try sendGap() : try sendRecords()
                // Where nothing was asked of Redis, nothing is known of it.
                if isBusy || hasLooked { succeeded() }
                hold()
                if !isBusy { waitForMore() }
            } catch {
                failed(error)
                hold()
            }
        }
        writeNote()
    }

    private var shouldEnd: Bool {
        let (isStopping, deadline) = forwarder.state.withLock { ($0.isStopping, $0.stopDeadline) }
        guard isStopping else { return false }
        return deadline.hasPassed || forwarder.pulse.failing(at: .now()) != nil
            || (note.gaps.isEmpty && note.position >= forwarder.journal.committedSequence)
    }

    // MARK: Sending

    /// Sends what is waiting, as one pipeline.
    /// - Returns: whether there was anything.
    private func sendRecords() throws(ForwarderError) -> Bool {
        guard try encodeRecords() else { return false }
        guard let sent = try send() else { return true }
        noteEnds(sent.ends)
        if sent.records > 0 {
            note.position = records[sent.records - 1].sequence
            advanced()
        }
        if let failure = sent.failure { throw failure }
        guard sent.records == records.count else { throw .redis(nothingSent) }
        forwarder.forwarded.add(encoder.eventCount)
        return true
    }

    /// A gap waits until every erasure is announced: it may hold events that were accepted after an
    /// erasure began, and those must not lie before this node's end. An erasure that begins after this
    /// was asked is about all rows of the gap, for they are there already.
    private var isGapNext: Bool { !note.gaps.isEmpty && forwarder.exchange.barrier == nil }

    private var nothingSent: RedisError { RedisError(.unexpectedReply, "nothing was acknowledged") }

    /// - Returns: false if there is nothing.
    private func encodeRecords() throws(ForwarderError) -> Bool {
        // What was taken before an erasure began goes first, and nothing else until that is announced.
        let barrier = forwarder.exchange.barrier
        guard barrier.map({ $0 > note.position }) ?? true else { return false }
        begin(taken, behind: note.position)
        isSendingGap = false
        if encodedEntries == entries.count {
            guard try readRecords() else { return false }
        }
        loop: while encodedEntries < entries.count {
            let entry = entries[encodedEntries]
            if let barrier, entry.sequence > barrier {
                guard records.isEmpty else { break loop }
                // What is missing before it was stepped over.
                note.position = max(note.position, barrier)
                return false
            }
            switch encoder.add(entry.payload, sequence: entry.sequence, from: &part) {
            case .full: break loop
            // What is no event goes to quarantine when the store comes to the record.
            case .corrupt, .end: break
            }
            records.append((entry.sequence, encoder.pipeline.commandCount))
            encodedEntries += 1
            part = StreamEncoder.RecordPart()
        }
        encoder.finish()
        if forwarder.options.encoding == .frame {
            // A frame holds events of many records, so all of them are acknowledged at its end.
            for index in records.indices { records[index].commands = encoder.pipeline.commandCount }
        }
        encoder.mark(records.last?.sequence ?? note.position)
        return true
    }

    /// Begins a pipeline of what is left of the full one's size after a failure.
    private func begin(_ taken: [EventPlace], behind sequence: UInt64) {
        let next = EventPlace(sequence: sequence + 1, count: 0)
        let isPartlyTaken = taken.contains { $0 > next }
        encoder.removeAll(
            StreamEncoder.Limits(
                commands: ForwarderRun.pipeline.commands / shrinkage,
                bytes: ForwarderRun.pipeline.bytes / shrinkage),
            taken: isPartlyTaken ? taken : [])
        records.removeAll(keepingCapacity: true)
    }

    /// 1 while all is well.
    private var shrinkage: Int { ForwarderRun.readBytes.upperBound / nextReadBytes }

    private func readRecords() throws(ForwarderError) -> Bool {
        // What the old reader has in memory may be gone from the disk.
        if forwarder.journal.identity != journal { restartReader() }
        do throws(JournalError) {
            entries = try reader.next(maxBytes: nextReadBytes)
        } catch {
            throw .journal(error)
        }
        encodedEntries = 0
        part = StreamEncoder.RecordPart()
        if entries.isEmpty, reader.nextSequence - 1 > note.position {
            // What is missing was stepped over.
            note.position = reader.nextSequence - 1
            advanced()
        }
        return !entries.isEmpty
    }

    /// - Returns: nil if nothing was sent: the call made a connection, and what answers there has
    ///   not been looked at.
    private func send() throws(ForwarderError) -> Sent? {
        let sent: Sent?
        do throws(RedisError) {
            sent = try forwarder.redis.call(
                .streams, within: sendLimit
            ) { session throws(RedisError) in
                guard forwarder.redis.connectionsMade(.streams) == lookedAt else { return nil }
                return try look(at: try session.send(encoder.pipeline), session)
            }
        } catch {
            throw .redis(error)
        }
        if sent == nil { restartReader() }
        return sent
    }

    /// Some rows of the store that Redis was not sent, in their order. Rows that an erasure asks for and
    /// that are not deleted yet are left out: the erasure is announced, so other nodes would store them.
    private func sendGap() throws(ForwarderError) -> Bool {
        guard let gap = note.gaps.first else { return false }
        begin(takenRows, behind: UInt64(clamping: gap.after))
        isSendingGap = true
        let tail: EventTail
        do throws(StorageError) {
            tail = try forwarder.store.events(
                after: gap.after, limit: ForwarderRun.pipeline.commands / shrinkage,
                maxBytes: nextReadBytes, deadline: .after(.seconds(5)))
        } catch {
            throw .store(error)
        }
        var last = gap.after
        for event in tail.events where event.seq <= gap.upTo {
            last = event.seq
            let erased = forwarder.store.erasures.filter(row: event.seq)
            event.withRow { row in
                if erased?.matches(row) != true { encoder.add(row, row: event.seq) }
            }
        }
        encoder.finish()
        if !encoder.pipeline.isEmpty {
            records = [(note.position, encoder.pipeline.commandCount)]
            guard let sent = try send() else { return true }
            noteEnds(sent.ends)
            if let failure = sent.failure { throw failure }
            forwarder.forwarded.add(encoder.eventCount)
        }
        // Its last rows may be gone: retention deletes them.
        if tail.lastSeq >= gap.upTo || !tail.hasMore {
            note.gaps.removeFirst()
        } else {
            note.gaps[0].after = last
        }
        advanced()
        return true
    }

    /// Tells the other nodes that all was sent that this one had taken before an erasure began. What of
    /// that lies in gaps is left out of them.
    private func announceErasures() throws(ForwarderError) {
        let exchange = forwarder.exchange
        guard exchange.mustAnnounce(sent: note.position) else { return }
        do throws(RedisError) {
            try forwarder.redis.call(.streams, within: sendLimit) { session throws(RedisError) in
                let look = try StreamContinuity.Look.take(
                    forwarder.keys, node: forwarder.options.node, session)
                try exchange.announce(sent: note.position, ends: look.lastIDs, session)
            }
        } catch {
            throw .redis(error)
        }
    }

    // MARK: After sending

    private func noteEnds(_ ends: [StreamEntryID]) {
        if note.ends.count != ends.count { note.ends = Array(repeating: .zero, count: ends.count) }
        for index in ends.indices { note.ends[index] = max(note.ends[index], ends[index]) }
    }

    func advanced() {
        noteIsNew = true
        if let rows = forwarder.marks.rows(behind: note.position) {
            note.rows = max(note.rows, rows)
        }
        forwarder.publish(position: note.position, gaps: note.gaps.count)
    }

    /// Begins to read again behind the position.
    func restartReader() {
        journal = forwarder.journal.identity
        encoder.setJournal(journal)
        reader = JournalReader(forwarder.journal, from: note.position + 1)
        entries.removeAll()
        encodedEntries = 0
    }

    /// Whatever Redis took may be gone.
    func forgetTaken() {
        for partition in taken.indices {
            (taken[partition], takenRows[partition]) = (.start, .start)
        }
    }

    private func hold() {
        if letGoIfFull() { hasUnnotedGap = true }
        if hasUnnotedGap || noteIsNew && MonotonicTime.now() >= nextNote { writeNote() }
        // After a crash only the note knows of the gap.
        guard !hasUnnotedGap else { return }
        forwarder.journal.release(upTo: note.position, by: StreamForwarder.consumer)
    }

    private func writeNote() {
        guard noteIsNew else { return }
        nextNote = .now() + ForwarderRun.noteInterval
        note.runID = forwarder.continuity.runID
        let oldest = forwarder.journal.status.firstSequence - 1
        if let rows = forwarder.marks.rows(behind: oldest) {
            note.kept = CommitPoint(position: oldest, lastSeq: rows)
        }
        // Ended before everything was sent again, the next run has to know.
        note.marked = hasLostMark ? .max : forwarder.continuity.mark
        do throws(JournalError) {
            try note.write(in: forwarder.directory)
            noteIsNew = false
            hasUnnotedGap = false
        } catch {
            forwarder.log.warning("the forwarder's position cannot be noted") {
                $0.add("error", error.message)
            }
        }
    }

    func noteChanged() { noteIsNew = true }

    private func succeeded() {
        if forwarder.pulse.failing(at: .now()) != nil {
            forwarder.log.notice("events go to redis streams")
        }
        pause = StreamPause()
        sendLimit = ForwarderRun.sendLimits.lowerBound
        if nextReadBytes < ForwarderRun.readBytes.upperBound,
            forwarder.redis.breaker(.streams).snapshot(at: .now()).mode == .closed
        {
            nextReadBytes = min(2 * nextReadBytes, ForwarderRun.readBytes.upperBound)
        }
        forwarder.pulse.succeeded()
    }

    private func failed(_ error: ForwarderError) {
        if forwarder.pulse.failed(error.description) {
            // What passes is a warning; what an operator has to mend is more.
            let level: LogLevel = error.passes ? .warning : .error
            forwarder.log.log(level, "events do not go to redis streams") {
                $0.add("error", error)
            }
        }
        nextReadBytes = ForwarderRun.readBytes.lowerBound
        if error.isTimeout { sendLimit = min(sendLimit * 2, ForwarderRun.sendLimits.upperBound) }
        if error.asksForLook { forwarder.continuity.suspect() }
        restartReader()
        _ = forwarder.state.wait(
            until: .after(pause.next(after: error.code)), for: { $0.isStopping }, then: { _ in })
    }

    private func waitForMore() {
        guard !forwarder.state.withLock({ $0.isStopping }) else { return }
        _ = forwarder.journal.waitForCommitted(
            after: note.position, until: .after(ForwarderRun.idleWait))
    }
}

/// What keeps the forwarder from sending.
enum ForwarderError: Error, CustomStringConvertible {
    case redis(RedisError)
    case journal(JournalError)
    case store(StorageError)

    var description: String {
        switch self {
        case .redis(let error): error.description
        case .journal(let error): error.description
        case .store(let error): error.description
        }
    }

    /// The connection ended, or the server is not what it was.
    var asksForLook: Bool {
        guard case .redis(let error) = self else { return false }
        return error.code.endsConnection || error.code.isServerFailure
    }

    /// Nil if it is not Redis's.
    var code: RedisError.Code? {
        if case .redis(let error) = self { error.code } else { nil }
    }

    var isTimeout: Bool { code == .timeout }

    /// The breaker counts it or made it.
    var passes: Bool { code.map { $0 == .breakerOpen || $0.isTransient } ?? false }
}
