import Primitives
import SQLite
import Telemetry

/// Erasing events for good. `Erasure.Stage` says in which order; the writer's thread does what
/// concerns the store, in steps between batches.
extension EventStore {
    /// For all steps between two batches.
    private static let erasureTime = Duration.milliseconds(40)
    /// Pages in one step of overwriting what moved rows have left: 8 MiB, some 10 ms.
    private static let overwrittenPages = 2048
    /// How long a checkpoint waits for readers, at the end of an erasure.
    private static let cuttingWaitMilliseconds: Int32 = 200

    /// Orders an erasure. It begins when the ticket is reached: see `ErasureInbox`. Any thread.
    /// - Parameter barrier: asked on the writer's thread as the erasure begins: the last record of
    ///   the journal that is acknowledged.
    /// - Returns: a ticket; nil while too many wait.
    package func erase(
        _ erasure: Erasure, barrier: @escaping @Sendable () -> UInt64
    ) -> UInt64? {
        erasureInbox.submit(ErasureOrder(erasure: erasure, barrier: barrier), costBytes: 1024)
    }

    /// Waits until an erasure that was ordered has begun, and no power failure takes the order away.
    /// - Returns: false if the deadline passed first.
    package func waitUntilBegun(_ ticket: UInt64, deadline: Deadline) -> Bool {
        erasureInbox.waitUntilDurable(ticket, deadline: deadline)
    }

    /// Events that `filter` asks for. Any thread that may block.
    package func count(_ filter: EventFilter, deadline: Deadline) throws(StorageError) -> Int64 {
        try readers.withReader(until: deadline) { (connection) throws(SQLiteError) in
            try EventStore.count(filter, connection)
        }
    }

    private static func count(
        _ filter: EventFilter, _ connection: Connection
    ) throws(SQLiteError) -> Int64 {
        let types = try filter.types.isEmpty ? nil : Generations.typeIDs(connection, filter.types)
        let sources =
            try filter.sources.isEmpty
            ? nil : Generations.ids(connection, table: "event_sources", filter.sources)
        var conditions = ["TRUE"]
        var values: [SQLValue] = []
        func add(_ column: String, in list: [SQLValue]?) {
            guard let list else { return }
            let places = list.indices.map { "?\(values.count + 1 + $0)" }
            conditions.append("\(column) IN (\(places.joined(separator: ", ")))")
            values += list
        }
        add("type_id", in: types?.map { .integer($0) })
        add("source_id", in: sources?.map { .integer($0) })
        add("subject", in: filter.subjects.isEmpty ? nil : filter.subjects.map { .text($0) })
        for (condition, time) in [("time >=", filter.from), ("time <", filter.to)] {
            guard let time else { continue }
            values.append(.integer(time))
            conditions.append("\(condition) ?\(values.count)")
        }
        let select = try connection.prepare(
            "SELECT count(*) FROM event_rows WHERE \(conditions.joined(separator: " AND "))")
        select.bind(values)
        return try select.step() ? select.integer(0) : 0
    }

    // MARK: The writer's thread

    /// Begins what was ordered, and goes on with what has begun.
    func attendToErasures(_ writer: StoreWriter, _ moment: ChoreMoment) throws(StorageError) {
        try beginErasures(writer)
        let end = MonotonicTime.now() + EventStore.erasureTime
        repeat {
            guard let erasure = erasures.nextOfStore,
                try step(erasure, writer, wall: moment.wall)
            else { return }
        } while MonotonicTime.now() < end
    }

    private func beginErasures(_ writer: StoreWriter) throws(StorageError) {
        guard !erasureInbox.isEmpty else { return }
        try beginOrdered(writer)
        // The client gets its answer once the order is on the disk.
        try checkpoint(writer, .passive, now: nil)
    }

    private func beginOrdered(_ writer: StoreWriter) throws(StorageError) {
        erasures.setBeginning(true)
        defer { erasures.setBeginning(false) }
        var begun: [Erasure] = []
        try erasureInbox.drain(writer) { (orders, counters) throws(StorageError) in
            begun = []
            try attempt(path) { () throws(SQLiteError) in
                let table = ErasureTable(connection: writer.connection)
                for order in orders where erasures.erasure(order.erasure.id) == nil {
                    var erasure = order.erasure
                    erasure.barrier = order.barrier()
                    erasure.through = counters.lastSeq
                    try table.write(erasure)
                    begun.append(erasure)
                }
            }
        } committed: {
            // Before anybody is told that it has begun, and before anything else is stored.
            for erasure in begun { erasures.add(erasure) }
        }
    }

    /// - Returns: whether there is more to do at once.
    private func step(
        _ erasure: Erasure, _ writer: StoreWriter, wall: Int64
    ) throws(StorageError) -> Bool {
        guard let matcher = erasure.matcher else { return false }
        switch erasure.stage {
        case .rows:
            // What is not known to be there could be stored once more.
            guard writer.identities.index.isWhole, !writer.identities.hasKeyIndex else {
                return false
            }
            try eraseRows(erasure, matcher, writer)
        case .quarantine, .deadLetters: try eraseSetAside(erasure, matcher, writer)
        case .names: try eraseNames(erasure, writer)
        case .copies: return try finish(erasure, writer, wall: wall)
        case .finished: return false
        }
        return true
    }

    /// Writes down what has become of `erasure` in the transaction of `body`, and tells the book.
    func advance(
        _ erasure: Erasure, _ writer: StoreWriter,
        _ body: (inout Erasure, inout StoreCounters) throws(SQLiteError) -> Void
    ) throws(StorageError) {
        let next = try writer.transact { (counters) throws(StorageError) in
            try attempt(path) { () throws(SQLiteError) in
                var next = erasure
                try body(&next, &counters)
                try ErasureTable(connection: writer.connection).write(next)
                return next
            }
        }
        erasures.update(next)
    }

    /// The last step: nothing of what was deleted may be left in the files of the store.
    /// - Returns: whether there is more to do at once.
    private func finish(
        _ erasure: Erasure, _ writer: StoreWriter, wall: Int64
    ) throws(StorageError) -> Bool {
        guard !writer.hasDroppedRollups, try cutLog(writer) else { return false }
        guard try overwriteUnusedBytes(writer) else { return true }
        try advance(erasure, writer) { (next, _) throws(SQLiteError) in
            next.stage = .finished
            next.finished = wall
            if !options.keepsErasureMatchers { next.matcher = nil }
        }
        try forgetOldErasures(writer)
        log.notice("audit: events erased") {
            $0.add("erasure", erasure.id)
            $0.add("conditions", erasure.conditions)
            $0.add("events", erasure.events)
            $0.add("quarantined", erasure.quarantined)
            $0.add("dead_letters", erasure.deadLetters)
        }
        return false
    }

    /// Overwrites what moved rows have left in some pages of the file, the last ones first: a chore
    /// that makes the file smaller between two steps moves pages from its end to the front, with the
    /// bytes that are not in use. A batch between two steps may give such bytes to a page that has been
    /// overwritten: see `Overwriting`. The log is cut.
    /// - Returns: whether no page is left.
    private func overwriteUnusedBytes(_ writer: StoreWriter) throws(StorageError) -> Bool {
        do throws(SQLiteError) {
            let pageCount = Int(try writer.connection.integer("PRAGMA page_count") ?? 0)
            let last = min(writer.overwriting?.rest ?? pageCount, pageCount)
            let rest = max(0, last - EventStore.overwrittenPages)
            let again = writer.overwriting?.changed.filter { $0 > last } ?? []
            let pages = Array(rest..<last).map { $0 + 1 } + again.sorted()
            try writer.connection.zeroUnusedBytes(in: pages)
            writer.overwriting = Overwriting(rest: rest)
            guard rest == 0 else { return false }
        } catch {
            let error = StorageError(error, path)
            writer.note(error)
            throw error
        }
        writer.overwriting = nil
        return true
    }

    /// Moves the log into the file and cuts it to nothing, so that it holds no earlier state of a
    /// page.
    /// - Returns: false while readers are in the way.
    private func cutLog(_ writer: StoreWriter) throws(StorageError) -> Bool {
        let isComplete = try checkpoint(
            writer, .truncate, now: nil, waitMilliseconds: EventStore.cuttingWaitMilliseconds)
        return isComplete && writer.connection.logFrames == 0
    }

    private func forgetOldErasures(_ writer: StoreWriter) throws(StorageError) {
        let finished = erasures.erasures.filter { $0.stage == .finished && $0.matcher == nil }
        let old = finished.dropFirst(ErasureTable.finishedLimit)
        guard !old.isEmpty else { return }
        try writer.transact { (_) throws(StorageError) in
            try attempt(path) { () throws(SQLiteError) in
                let table = ErasureTable(connection: writer.connection)
                for erasure in old { try table.remove(erasure.id) }
            }
        }
        erasures.forget(Set(old.map(\.id)))
    }
}

/// How far the overwriting of unused bytes has come.
///
/// Where SQLite evens out pages, two of them may swap their numbers, unused bytes included. Whatever
/// changes a page goes through the write-ahead log, which starts over only after a checkpoint that moved
/// all of it. So the pages that the log has before each checkpoint are all that may have changed.
struct Overwriting {
    /// Pages beyond it were overwritten.
    var rest: Int
    /// Pages that were written since the last step.
    var changed: Set<Int> = []
}

/// An erasure on its way to the writer.
struct ErasureOrder: Sendable {
    let erasure: Erasure
    let barrier: @Sendable () -> UInt64
}
