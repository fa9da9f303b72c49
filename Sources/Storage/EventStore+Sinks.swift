import Primitives
import SQLite

extension EventStore {
    /// Positions alone are written this seldom: more often would double the transactions.
    private static let sinkPositionInterval = Duration.milliseconds(200)
    /// Rows looked at for one call of `read(after:through:)`: some milliseconds.
    private static let sinkExaminedLimit: Int64 = 10_000

    /// Where sinks that read this store go on. One that has never been here begins behind what is
    /// stored now, and that is written down before any further event is, so whatever is stored from
    /// now on reaches it, crash or not. Before the writer's thread starts.
    package func openSinks(_ names: [String]) throws(StorageError) -> [String: Int64] {
        let writer = try writer()
        let table = DeadLetterTable(connection: writer.connection)
        return try writer.transact { (counters) throws(StorageError) in
            var positions: [String: Int64] = [:]
            do throws(SQLiteError) {
                for name in names {
                    if let position = try table.position(of: name) {
                        // Never beyond the newest: the file may be a copy that was put back.
                        positions[name] = min(position, counters.lastSeq)
                    } else {
                        positions[name] = counters.lastSeq
                        try table.setPosition(counters.lastSeq, of: name)
                    }
                }
            } catch {
                throw StorageError(error, path)
            }
            return positions
        }
    }

    /// What `read(after:through:)` came to.
    package struct SinkRead: Sendable {
        /// Everything up to here has been looked at: go on after it.
        package var lastSeq: Int64
        /// There was more than could be looked at or taken.
        package var hasMore: Bool
        /// Events up to `lastSeq` that were deleted before this looked, whatever their type: each
        /// event that is stored gets the next `seq`.
        package var goneCount = 0
    }

    /// Appends events stored after `seq` to `run`, in the order of storing. Any thread that may
    /// block. Looks at 10,000 rows at most.
    /// - Parameters:
    ///   - newest: everything up to this was committed before the call, so what is not found is gone.
    ///   - limit: events.
    ///   - byteLimit: ends once `run` has passed it.
    ///   - isWanted: by the event's type; asked once for each type.
    package func read(
        after seq: Int64, through newest: Int64, into run: EventRun, limit: Int, byteLimit: Int,
        isWanted: (String) -> Bool, deadline: Deadline
    ) throws(StorageError) -> SinkRead {
        try readers.withReader(until: deadline) { (connection) throws(SQLiteError) in
            let names = EventNames(connection)
            var wanted: [Int64: Bool] = [:]
            let select = try connection.cached(
                """
                SELECT \(StoredEvent.columns) FROM event_rows WHERE seq > ?1
                ORDER BY seq LIMIT ?2
                """)
            defer { select.reset() }
            select.bind(1, seq)
            select.bind(2, EventStore.sinkExaminedLimit)
            var read = SinkRead(lastSeq: seq, hasMore: false)
            var examined: Int64 = 0
            while !read.hasMore, try select.step() {
                if run.count >= limit || run.byteCount >= byteLimit {
                    read.hasMore = true
                    break
                }
                read.lastSeq = select.integer(0)
                examined += 1
                let type = select.integer(2)
                if wanted[type] == nil { wanted[type] = isWanted(try names.type(type)) }
                if wanted[type] == true { run.append(try StoredEvent(select, names: names)) }
                read.hasMore = examined == EventStore.sinkExaminedLimit
            }
            // Rows that are not there would otherwise be looked for again and again.
            if !read.hasMore { read.lastSeq = max(read.lastSeq, newest) }
            read.goneCount = Int(read.lastSeq - seq - examined)
            return read
        }
    }

    // MARK: Dead letters

    /// Dead letters, newest first. Any thread that may block. A page ends early before its events
    /// pass the bytes that a page of events may have.
    /// - Parameters:
    ///   - sink: only those of this one.
    ///   - seq: only those below it: the `seq` of the last one seen; nil starts anew.
    package func deadLetters(
        sink: String? = nil, before seq: Int64? = nil, limit: Int, deadline: Deadline
    ) throws(StorageError) -> DeadLetterPage {
        try readers.withReader(until: deadline) { (connection) throws(SQLiteError) in
            try DeadLetterTable(connection: connection).list(
                sink: sink, before: seq ?? .max, limit: limit, byteLimit: EventScan.pageBytes)
        }
    }

    /// Dead letters of a sink that were not delivered after all, oldest first. Any thread that may
    /// block.
    /// - Parameters:
    ///   - seq: only those above it.
    ///   - byteLimit: ends before their bytes pass it, but returns at least one.
    package func waitingDeadLetters(
        sink: String, after seq: Int64 = 0, limit: Int, byteLimit: Int, deadline: Deadline
    ) throws(StorageError) -> [DeadLetter] {
        try readers.withReader(until: deadline) { (connection) throws(SQLiteError) in
            try DeadLetterTable(connection: connection)
                .waiting(sink: sink, after: seq, limit: limit, byteLimit: byteLimit)
        }
    }

    /// Whether an erasure is going to delete a dead letter, or has since it was read. Any thread.
    package func isToBeErased(_ letter: DeadLetter) -> Bool {
        [erasures.filterOfDeadLetters, erasures.filter(receivedAt: letter.time)].contains {
            guard let filter = $0 else { return false }
            return SetAsideJudge(filter).matches(letter.event.span, received: letter.time)
        }
    }

    /// Writes down what sinks have handed over, when that is due. What fails stays in the inbox for
    /// the next time.
    func attendToSinks(_ writer: StoreWriter, _ moment: ChoreMoment) throws(StorageError) {
        guard !sinks.isEmpty, isSinkWriteDue(writer, moment) else { return }
        try drainSinks(writer)
        writer.lastSinkWrite = moment.now
    }

    /// Writes down what sinks have handed over: of each sink's positions only the last one.
    func drainSinks(_ writer: StoreWriter) throws(StorageError) {
        let table = DeadLetterTable(connection: writer.connection)
        try sinks.inbox.drain(writer) { (changes, counters) throws(StorageError) in
            var kept: [SinkInbox.Change] = []
            for change in changes { kept.append(try withoutErased(change, writer)) }
            try attempt(path) { () throws(SQLiteError) in
                var positions: [String: Int64] = [:]
                for change in kept {
                    switch change {
                    case .settle(let letters, let sink, let position):
                        for letter in letters { try table.insert(letter, &counters) }
                        if let position { positions[sink] = position }
                    case .replayed(let seqs, let time):
                        try table.markReplayed(seqs, at: time)
                    }
                }
                try table.trim(to: options.deadLetters, &counters)
                for (sink, position) in positions { try table.setPosition(position, of: sink) }
            }
        }
    }

    private func withoutErased(
        _ change: SinkInbox.Change, _ writer: StoreWriter
    ) throws(StorageError) -> SinkInbox.Change {
        guard case .settle(let letters, let sink, let position) = change else { return change }
        var kept: [DeadLetterEntry] = []
        for letter in letters where try !isErased(letter, writer) { kept.append(letter) }
        return .settle(letters: kept, sink: sink, position: position)
    }

    /// Whether the event of a dead letter was erased while a sink still tried to deliver it.
    /// - Throws: `busy` while that is not known.
    private func isErased(
        _ letter: DeadLetterEntry, _ writer: StoreWriter
    ) throws(StorageError) -> Bool {
        guard let filter = erasures.filterOfAll,
            SetAsideJudge(filter).matches(letter.event.span, received: letter.time),
            let (source, id) = SetAsideJudge.identity(ofLetter: letter.event.span)
        else { return false }
        return try writer.inserter.isErased(source: source, id: id)
    }

    private func isSinkWriteDue(_ writer: StoreWriter, _ moment: ChoreMoment) -> Bool {
        guard !sinks.isUrgent, !moment.isIdle else { return true }
        guard let last = writer.lastSinkWrite else { return true }
        return moment.now.since(last) >= EventStore.sinkPositionInterval
    }
}
