import Journal
import Primitives
import Telemetry

/// Group commit against the disk's own rate of syncs.
///
/// One, 64 or 512 batches of one event are always waiting, as with so many clients. What the disk
/// could do at most is `waiting` × the raw rate: a ratio of 1, 64 or 512 would be perfect.
final class JournalBenchmark: Benchmark {
    static let name = "journal"
    static let summary = "single-event batches made safe, 1, 64 and 512 waiting, against fdatasync"

    private static let waitingCounts = [1, 64, 512]

    private let journal: Journal
    private let disk: SyncedFile
    /// Of the same round.
    private var rawRate = 0.0

    init(_ bench: Bench) throws(BenchFailure) {
        let directory = bench.scratch.file("journal")
        journal = try attempt("the journal") { () throws(JournalError) in
            try Journal(options: JournalOptions(directory: directory), log: .silent)
        }
        disk = try SyncedFile(path: bench.scratch.file("synced"))
    }

    deinit { journal.close() }

    var sides: [Side] {
        [
            Side(name: "fdatasync alone, 4 KiB") { [self] (time) throws(BenchFailure) in
                var watch = Stopwatch()
                try watch.run(for: time) { () throws(BenchFailure) in try disk.writeAndSync() }
                rawRate = watch.perSecond()
                return [Figure("syncs/s", .perSecond, rawRate)] + watch.latency.figures()
            }
        ]
            + JournalBenchmark.waitingCounts.map { waiting in
                Side(name: "\(waiting) waiting") { [self] (time) throws(BenchFailure) in
                    try measure(waiting, time)
                }
            }
    }

    func finish() throws(BenchFailure) -> [SideFigures] {
        let status = journal.status
        guard status.health == .ok, status.failures == 0 else {
            throw BenchFailure("the journal met \(status.failures) failures: \(status.health)")
        }
        return []
    }

    private func measure(_ waiting: Int, _ time: Duration) throws(BenchFailure) -> [Figure] {
        let before = journal.status
        let load = try JournalLoad(on: journal, waiting: waiting)
        let outcome = try load.run(for: time)
        let after = journal.status
        guard after.committedSequence - before.committedSequence == UInt64(outcome.count) else {
            throw BenchFailure("\(outcome.count) batches were acknowledged, others committed")
        }
        let syncs = after.commits - before.commits
        return [
            Figure("submits/s", .perSecond, outcome.rate),
            Figure("per raw sync", .ratio, outcome.rate / max(rawRate, 1)),
            Figure("per sync made", .ratio, Double(outcome.count) / Double(max(syncs, 1))),
        ] + outcome.latency.figures()
    }
}
