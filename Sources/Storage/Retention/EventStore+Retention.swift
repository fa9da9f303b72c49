import Primitives
import SQLite

/// What one step of retention came to.
package struct RetentionStep: Sendable, Equatable {
    /// Events that were deleted.
    package var deleted = 0
    /// Minutes whose generations were folded, see `Generations`.
    package var folded = 0
    /// Nothing is left to do until the cutoff moves on or older events come in.
    package var isDone = true
}

extension EventStore {
    /// Deletes events older than `cutoff`, the oldest first, in one short transaction. The writer's
    /// thread only, between batches, until `isDone`; without anything to do it only looks.
    ///
    /// Each deleted event counts as a change in its generation, so answers that were computed with
    /// it are not taken for valid any more. An id whose event has been deleted is new again.
    /// - Parameters:
    ///   - cutoff: milliseconds since 1970, rounded down to a minute.
    ///   - limit: events or minutes at most; 5,000 take some 30 ms.
    package func retain(
        after cutoff: Int64, limit: Int = 5000
    ) throws(StorageError) -> RetentionStep {
        let writer = try writer()
        let cutoff = min(max(cutoff, Timestamp.range.lowerBound), Timestamp.range.upperBound)
        let minute = Generations.minute(of: cutoff)
        let isDue = try attempt(path) { () throws(SQLiteError) in
            try Retention(connection: writer.connection).hasExpired(before: minute)
        }
        guard isDue || writer.foldedTo < minute else { return RetentionStep() }
        let step = try writer.transact { (counters) throws(StorageError) in
            do throws(SQLiteError) {
                return try Retention(connection: writer.connection, derived: options.derived)
                    .run(before: minute, limit: limit, &counters)
            } catch {
                throw StorageError(error, path)
            }
        }
        if step.isDone { writer.foldedTo = minute }
        publish(writer)
        return step
    }

    /// Deletes events of some types, each before a minute of its own, in one short transaction. As
    /// `retain(after:)`, but each type is found by its generations, which say in which minutes it
    /// has events: what other types have in between costs nothing.
    func retain(_ cutoffs: [TypeCutoff], limit: Int) throws(StorageError) -> RetentionStep {
        let writer = try writer()
        let due = try attempt(path) { () throws(SQLiteError) in
            try Retention(connection: writer.connection).due(cutoffs)
        }
        guard !due.isEmpty else { return RetentionStep() }
        let step = try writer.transact { (counters) throws(StorageError) in
            do throws(SQLiteError) {
                return try Retention(connection: writer.connection, derived: options.derived)
                    .run(due, limit: limit, &counters)
            } catch {
                throw StorageError(error, path)
            }
        }
        publish(writer)
        return step
    }
}

/// The statements of one retention step.
private struct Retention {
    let connection: Connection
    var derived: (any DerivedRows)?

    func hasExpired(before minute: Int64) throws(SQLiteError) -> Bool {
        let select = try connection.cached(
            "SELECT 1 FROM event_rows INDEXED BY event_time WHERE time < ?1 LIMIT 1")
        defer { select.reset() }
        select.bind(1, minute * 60_000)
        return try select.step()
    }

    func run(
        before minute: Int64, limit: Int, _ counters: inout StoreCounters
    ) throws(SQLiteError) -> RetentionStep {
        var step = RetentionStep()
        var deletion = RowDeletion(connection, counters, derived)
        let select = try connection.cached(
            """
            SELECT \(deletion.columns) FROM event_rows INDEXED BY event_time
            WHERE time < ?1 ORDER BY time LIMIT ?2
            """)
        select.bind(1, minute * 60_000)
        select.bind(2, Int64(limit))
        while try select.step() { try deletion.add(select) }
        step.deleted = deletion.count
        try deletion.run(&counters)
        step.isDone = step.deleted < limit
        guard step.isDone else { return step }
        counters.generationHorizon = max(counters.generationHorizon, minute)
        step.folded = try fold(before: minute, limit: limit)
        step.isDone = step.folded < limit
        return step
    }

    // MARK: By type

    /// Those of `cutoffs` whose types have generations before them, and so perhaps events.
    func due(_ cutoffs: [TypeCutoff]) throws(SQLiteError) -> [TypeCutoff] {
        var due: [TypeCutoff] = []
        for cutoff in cutoffs where try oldestMinute(cutoff) != nil { due.append(cutoff) }
        return due
    }

    private func oldestMinute(_ cutoff: TypeCutoff) throws(SQLiteError) -> Int64? {
        let select = try connection.cached(
            """
            SELECT minute FROM generations
            WHERE type_id = ?1 AND minute > ?2 AND minute < ?3 ORDER BY minute LIMIT 1
            """)
        defer { select.reset() }
        select.bind(1, cutoff.type)
        select.bind(2, Generations.foldedMinute)
        select.bind(3, cutoff.minute)
        return try select.step() ? select.integer(0) : nil
    }

    func run(
        _ cutoffs: [TypeCutoff], limit: Int, _ counters: inout StoreCounters
    ) throws(SQLiteError) -> RetentionStep {
        var step = RetentionStep()
        var deletion = RowDeletion(connection, counters, derived)
        for cutoff in cutoffs {
            // A minute without events is folded with the others, so the next one is later.
            while step.deleted < limit, step.folded < limit, let minute = try oldestMinute(cutoff) {
                let rest = limit - step.deleted
                let isWhole = try add(cutoff.type, minute, limit: rest, to: &deletion)
                step.deleted += deletion.count
                try deletion.run(&counters)
                guard isWhole else { break }
                counters.generationHorizon = max(counters.generationHorizon, minute + 1)
                step.folded += try fold(cutoff.type, before: minute + 1, limit: limit)
            }
        }
        step.isDone = try due(cutoffs).isEmpty
        return step
    }

    /// Takes the events of a type in a minute, as many as may still go.
    /// - Returns: whether these were all.
    private func add(
        _ type: Int64, _ minute: Int64, limit: Int, to deletion: inout RowDeletion
    ) throws(SQLiteError) -> Bool {
        let select = try connection.cached(
            """
            SELECT \(deletion.columns) FROM event_rows INDEXED BY event_time
            WHERE time >= ?1 AND time < ?2 AND type_id = ?3 LIMIT ?4
            """)
        defer { select.reset() }
        select.bind(1, minute * 60_000)
        select.bind(2, (minute + 1) * 60_000)
        select.bind(3, type)
        select.bind(4, Int64(limit))
        var rows = 0
        while try select.step() {
            try deletion.add(select)
            rows += 1
        }
        return rows < limit
    }

    /// Moves the counts of up to `limit` minutes to their types' folded rows.
    private func fold(before minute: Int64, limit: Int) throws(SQLiteError) -> Int {
        var folded = 0
        for type in try Generations.typeIDs(connection, []) where folded < limit {
            folded += try fold(type, before: minute, limit: limit - folded)
        }
        return folded
    }

    private func fold(_ type: Int64, before minute: Int64, limit: Int) throws(SQLiteError) -> Int {
        let select = try connection.cached(
            """
            SELECT minute, count, set_hash FROM generations
            WHERE type_id = ?1 AND minute > ?2 AND minute < ?3 ORDER BY minute LIMIT ?4
            """)
        select.bind(1, type)
        select.bind(2, Generations.foldedMinute)
        select.bind(3, minute)
        select.bind(4, Int64(limit))
        var sum = GenerationChange()
        // What the days lose, so that a sum over days and the folded row is what it was.
        var days: [Int64: GenerationChange] = [:]
        var last: Int64?
        var folded = 0
        while try select.step() {
            last = select.integer(0)
            let (count, hash) = (select.integer(1), UInt64(bitPattern: select.integer(2)))
            sum.add(GenerationChange(changes: count, hash: hash))
            days[Generations.day(ofMinute: select.integer(0)), default: GenerationChange()]
                .add(GenerationChange(changes: -count, hash: 0 &- hash))
            folded += 1
        }
        guard let last else { return 0 }
        let delete = try connection.cached(
            "DELETE FROM generations WHERE type_id = ?1 AND minute > ?2 AND minute <= ?3")
        delete.bind(1, type)
        delete.bind(2, Generations.foldedMinute)
        delete.bind(3, last)
        try delete.run()
        try sum.write(connection, type: type, minute: Generations.foldedMinute)
        let clear = try connection.cached(
            "DELETE FROM generation_days WHERE type_id = ?1 AND day = ?2 AND count = 0")
        for (day, loss) in days {
            try loss.write(connection, type: type, day: day)
            clear.bind(1, type)
            clear.bind(2, day)
            try clear.run()
        }
        return folded
    }
}
