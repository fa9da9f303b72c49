import Primitives
import SQLite
import Telemetry

/// Which identities the store has, and in which row: what a unique index would know, at a price that
/// does not grow with the store. The writer's thread.
///
///     try index.find(fingerprint)            // index.candidates: rows to look at
///     index.insert(fingerprint, seq: seq)    // a row that this transaction inserted
///     index.committed(lastSeq)               // or rolledBack(to:)
///
/// DESIGN. An entry is 64 bits of the identity's keyed hash and the row's `seq`. It says where to look;
/// the row itself says whether it is the one. So an entry too many costs a look and never an event: one
/// of a row that retention has deleted (its identity is new again, as it should be), one of a
/// transaction that was rolled back, one that is equal by chance. An entry too few would store an event
/// twice, and this is what the invariants are about:
///
/// 1. Rows are numbered without gaps. Each `seq` up to the last one lies in exactly one of: a *run*, a
///    *frozen* table, the *recent* table, a *gap*.
/// 2. While there is a gap nothing is stored (`isWhole`), unless the unique index of an earlier schema
///    still answers for it.
/// 3. A run covers only committed rows, and is removed at start if the database does not have them.
///
///     rows ──▶ recent ──full──▶ frozen ──sealed──▶ run ──four of a level──▶ run of the next level
///                                  gap ──rows read again──▶ run
///
/// Everything here is derived: runs are files that are checked when they are opened and read, and one
/// that is missing or damaged leaves a gap that is filled from the rows. The process may be killed at any
/// moment: what was in memory is read from the rows after the last run.
///
/// P. O'Neil et al., The Log-Structured Merge-Tree, 1996; the measurements are in decision 37.
final class IdentityIndex {
    /// Runs of one level that become one of the next. With more of them an entry is written less often,
    /// and a search looks into more runs. At 20 million, four instead of eight write 17 bytes an event
    /// more and store the last million 11 to 24 % faster.
    private static let fanIn = 4
    /// Runs at most, whatever their levels: each costs a look at its filter.
    private static let runLimit = 40
    /// Frozen tables, 16 MiB each, before the writer waits for one to become a file.
    private static let frozenLimit = 2
    /// Frozen tables while files cannot be written, before nothing is stored: 128 MiB.
    private static let frozenLimitInNeed = 8
    /// So many full tables of entries of deleted rows are not worth a merge of their own.
    private static let garbageTables: Int64 = 4

    private struct Frozen {
        let table: IdentityTable
        let range: SeqRange
    }

    private let folder: IdentityFolder
    private let store: UInt64
    private let log: Logger
    private let sealer: IdentityWorker
    private let merger: IdentityWorker
    /// Makes runs of gaps, on the writer's thread.
    private let refiller: IdentityWorker
    /// Entries after which the recent table is sealed.
    let tableCount: Int
    private let page = IdentityPage()

    private var runs: [IdentityRun]
    /// Names of runs that were written again without deleted rows, in this round.
    private var cleaned: Set<String> = []
    /// No run is cleaned before that time, because the rows could not be read.
    private var cleaningTime = MonotonicTime(nanoseconds: 0)
    private var frozen: [Frozen] = []
    private var recent = IdentityTable()
    /// Of the rows in `recent`.
    private var recentRange: SeqRange
    /// Rows that are to be read again, in order.
    private(set) var gaps: [SeqRange] = []
    /// What `find` has found: rows that may have the identity.
    private(set) var candidates: [Int64] = []
    private var retryTime = MonotonicTime(nanoseconds: 0)
    /// Why a file could not be made; nil while that works.
    private(set) var failure: String?

    /// - Parameters:
    ///   - store: a number that no other store has.
    ///   - catalog: what the folder holds for it.
    ///   - firstSeq: the first row that is there.
    ///   - lastSeq: the last one ever.
    init(
        database: String, store: UInt64, catalog: IdentityCatalog, firstSeq: Int64, lastSeq: Int64,
        tableCount: Int, log: Logger
    ) {
        self.store = store
        self.tableCount = tableCount
        self.log = log
        folder = IdentityFolder(database: database)
        sealer = IdentityWorker(name: "identity seal", folder: folder, database: database)
        merger = IdentityWorker(name: "identity merge", folder: folder, database: database)
        refiller = IdentityWorker(name: "identity refill", folder: folder, database: database)
        runs = catalog.runs
        recentRange = SeqRange(after: lastSeq, last: lastSeq)
        // Rows before the first one that is there are gone: nothing is missing of them.
        var covered = max(firstSeq - 1, 0)
        for run in runs {
            let range = run.header.range
            if range.after > covered { gaps.append(SeqRange(after: covered, last: range.after)) }
            covered = max(covered, range.last)
        }
        if covered < lastSeq { gaps.append(SeqRange(after: covered, last: lastSeq)) }
        for reason in catalog.removed {
            log.warning("a file of the identity index is of no use") { $0.add("reason", reason) }
        }
    }

    deinit {
        sealer.stop()
        merger.stop()
    }

    /// Ends what goes on in the background. What is being sealed is ended, a merge is broken off.
    func close() {
        sealer.waitForOutcome()
        sealer.stop()
        merger.stop()
    }

    // MARK: Within a transaction

    /// Every row is in here: what is not found is not there.
    var isWhole: Bool { gaps.isEmpty }

    /// Prefetches the cache lines that `find` will read. Each run costs one that is in no cache, and
    /// waiting for it takes longer than all the rest of a search. Lines that are prefetched several
    /// rows ahead are loaded in parallel.
    func prefetch(_ fingerprint: UInt64) {
        recent.prefetch(fingerprint)
        for table in frozen { table.table.prefetch(fingerprint) }
        for run in runs { run.prefetch(fingerprint) }
    }

    /// Looks for rows that may have the identity; `candidates` are what it finds.
    /// - Throws: `busy` if a file turns out to be damaged: its rows have to be read again first.
    func find(_ fingerprint: UInt64) throws(StorageError) {
        candidates.removeAll(keepingCapacity: true)
        recent.find(fingerprint, &candidates)
        for table in frozen { table.table.find(fingerprint, &candidates) }
        for run in runs {
            do throws(IdentityFileError) { try run.find(fingerprint, &candidates, page) } catch {
                giveUp(run, error)
                throw StorageError(.busy, "identities have to be read again: \(error.message)")
            }
        }
    }

    func insert(_ fingerprint: UInt64, seq: Int64) {
        recent.insert(IdentityEntry(fingerprint: fingerprint, seq: seq))
    }

    /// The rows up to `lastSeq` are committed.
    func committed(_ lastSeq: Int64) {
        recentRange.last = lastSeq
        if recent.count >= tableCount { freeze() }
    }

    /// The rows after `lastSeq` are not.
    func rolledBack(to lastSeq: Int64) { recent.removeAll(after: lastSeq) }

    /// - Throws: `inputOutput` if so much waits to become files that nothing more can be stored.
    func checkRoom() throws(StorageError) {
        if frozen.count >= IdentityIndex.frozenLimit {
            sealer.waitForOutcome()
            adopt()
        }
        guard frozen.count >= IdentityIndex.frozenLimitInNeed else { return }
        throw StorageError(.inputOutput, failure ?? "identities wait to be written")
    }

    private func freeze() {
        frozen.append(Frozen(table: recent, range: recentRange))
        recent = IdentityTable()
        recentRange = SeqRange(after: recentRange.last, last: recentRange.last)
        seal()
    }

    // MARK: Between transactions

    /// Takes what the background has made and gives it the next thing to make.
    /// - Parameters:
    ///   - rows: events in the store.
    ///   - firstSeq: the first of them.
    func maintain(rows: Int64, firstSeq: Int64, now: MonotonicTime) {
        adopt()
        guard failure == nil || now >= retryTime else { return }
        seal()
        // Neighbours with a gap between them must not become one run: it would speak for the gap.
        guard merger.isFree, failure == nil, isWhole else { return }
        while let first = runs.first, first.header.range.last < firstSeq { drop(first) }
        let garbageAllowed = IdentityIndex.garbageTables * Int64(tableCount)
        let hasGarbage = entryCount > 2 * rows + garbageAllowed
        guard let chosen = mergeable(hasGarbage: hasGarbage, now) else { return }
        guard let first = chosen.first?.header, let last = chosen.last?.header else { return }
        var header = IdentityRunHeader(
            store: store, range: SeqRange(after: first.range.after, last: last.range.last))
        header.lastFingerprint = last.lastFingerprint
        merger.start(
            .init(
                source: .runs(
                    chosen, firstSeq: firstSeq, asksForRows: hasGarbage && now >= cleaningTime),
                header: header))
    }

    /// In all runs.
    var entryCount: Int64 { runs.reduce(0) { $0 + Int64($1.header.entryCount) } }

    /// Nothing is being made in the background, or waits for it.
    var isSettled: Bool { frozen.isEmpty && sealer.isFree && merger.isFree }

    private func seal() {
        guard sealer.isFree, let next = frozen.first else { return }
        var header = IdentityRunHeader(store: store, range: next.range)
        header.lastFingerprint = next.table.fingerprint(of: next.range.last)
        sealer.start(.init(source: .table(next.table), header: header))
    }

    /// Puts finished runs in the place of what they were made of.
    private func adopt() {
        if let outcome = sealer.takeOutcome(), let run = made(outcome) {
            frozen.removeFirst()
            insert(run)
        }
        if let outcome = merger.takeOutcome(), let run = made(outcome),
            case .runs(let parts, _, let asksForRows) = outcome.job.source
        {
            if asksForRows { cleaned.insert(run.header.name) }
            let names = Set(parts.map { $0.header.name })
            guard runs.filter({ names.contains($0.header.name) }).count == parts.count else {
                // One of them turned out to be damaged meanwhile.
                return folder.remove(run.header.name)
            }
            runs.removeAll { names.contains($0.header.name) }
            insert(run)
            for name in names where name != run.header.name { folder.remove(name) }
        }
    }

    private func made(_ outcome: IdentityWorker.Outcome) -> IdentityRun? {
        switch outcome.result {
        case .success(let run):
            failure = nil
            return run
        case .failure(.cancelled):
            cleaningTime = .now() + .seconds(60)
            return nil
        case .failure(let error):
            if case .runs(let parts, _, _) = outcome.job.source, case .damaged = error {
                for part in parts where isDamaged(part) { giveUp(part, error) }
            } else {
                failed(error)
            }
            return nil
        }
    }

    private func failed(_ error: IdentityFileError) {
        if failure == nil {
            log.error("the identity index cannot be written") { $0.add("error", error.message) }
        }
        failure = error.message
        retryTime = .now() + .seconds(5)
    }

    private func isDamaged(_ run: IdentityRun) -> Bool {
        for block in 0..<run.header.blockCount where (try? run.read(block, page)) == nil {
            return true
        }
        return false
    }

    private func insert(_ run: IdentityRun) {
        let place = runs.firstIndex { $0.header.range.after > run.header.range.after }
        runs.insert(run, at: place ?? runs.endIndex)
    }

    private func drop(_ run: IdentityRun) {
        runs.removeAll { $0 === run }
        folder.remove(run.header.name)
    }

    /// The rows of a damaged run have to be read again.
    private func giveUp(_ run: IdentityRun, _ error: IdentityFileError) {
        log.warning("a file of the identity index is damaged; its rows are read again") {
            $0.add("error", error.message)
        }
        drop(run)
        gaps.append(run.header.range)
        gaps.sort { $0.after < $1.after }
    }

    /// Four neighbours of one level; or what is smallest when there are too many; or one after the other,
    /// the largest first, while most entries are of deleted rows.
    private func mergeable(hasGarbage: Bool, _ now: MonotonicTime) -> [IdentityRun]? {
        let levels = runs.map { level(of: $0.header.entryCount) }
        let fanIn = IdentityIndex.fanIn
        if runs.count >= fanIn {
            for start in 0...(runs.count - fanIn)
            where levels[start..<start + fanIn].allSatisfy({ $0 == levels[start] }) {
                return Array(runs[start..<start + fanIn])
            }
        }
        if runs.count > IdentityIndex.runLimit {
            let starts = 0...(runs.count - fanIn)
            let sizes = starts.map { start in
                runs[start..<start + fanIn].reduce(0) { $0 + $1.header.entryCount }
            }
            let start = starts.min { sizes[$0] < sizes[$1] } ?? 0
            return Array(runs[start..<start + fanIn])
        }
        guard hasGarbage else {
            cleaned = []
            return nil
        }
        guard now >= cleaningTime else { return nil }
        // It may lie in any of them: each has its turn before one comes again.
        if runs.allSatisfy({ cleaned.contains($0.header.name) }) { cleaned = [] }
        let rest = runs.filter { !cleaned.contains($0.header.name) }
        return rest.max { $0.header.entryCount < $1.header.entryCount }.map { [$0] }
    }

    private func level(of count: Int) -> Int {
        var (level, size) = (0, tableCount)
        while count > size * IdentityIndex.fanIn / 2 {
            level += 1
            size *= IdentityIndex.fanIn
        }
        return level
    }
}

// MARK: Gaps

extension IdentityIndex {
    /// Fills the next gap, or a part of it, with what was read from its rows.
    /// - Parameter last: the last row that was read; the gap's own last one at its end.
    func fill(_ table: IdentityTable, through last: Int64) throws(StorageError) {
        guard let gap = gaps.first else { return }
        let range = SeqRange(after: gap.after, last: last)
        if range.isEmpty {
            gaps.removeFirst()
            return
        }
        if last == recentRange.after, frozen.isEmpty, recent.count == 0 {
            // The newest rows: a kill took them from memory, and there they go again.
            recent = table
            recentRange.after = gap.after
        } else {
            var header = IdentityRunHeader(store: store, range: range)
            header.lastFingerprint = table.fingerprint(of: last)
            do throws(IdentityFileError) {
                insert(try refiller.make(.init(source: .table(table), header: header)))
            } catch {
                throw StorageError(.inputOutput, error.message)
            }
        }
        gaps[0].after = last
        if gaps[0].isEmpty { gaps.removeFirst() }
    }
}
