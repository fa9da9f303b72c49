import Primitives
import Storage
import Telemetry

/// Events with ids of their own into one store that grows: what recognizing them costs at its end
/// beside its beginning, what it writes, and how long opening takes.
struct IdentityBenchmark: Benchmark {
    static let name = "identity"
    static let summary = "--ids events with client ids into one store; 30 % of them sent twice"

    private let scratch: ScratchDirectory
    private let ids: Int

    init(_ bench: Bench) throws(BenchFailure) {
        scratch = bench.scratch
        ids = bench.ids
    }

    var sides: [Side] {
        [
            Side(name: "each once") { (_) throws(BenchFailure) in try measure(sentTwice: 0) },
            Side(name: "30 % twice") { (_) throws(BenchFailure) in try measure(sentTwice: 0.3) },
        ]
    }

    private func measure(sentTwice: Double) throws(BenchFailure) -> [Figure] {
        let path = try scratch.freshFolder("identity") + "/store.db"
        let writtenBefore = OwnProcess.writtenBytes
        let store = try open(path)
        var load = IdentityLoad(ids: ids, sentTwice: sentTwice)
        while !load.isDone { try load.step(into: store) }
        let end = MonotonicTime.now()
        _ = try attempt("a checkpoint") { () throws(StorageError) in try store.checkpoint() }
        let elapsed = load.elapsed + MonotonicTime.now().since(end)
        let status = store.status
        let resident = OwnProcess.residentBytes
        store.close(deadline: .after(.seconds(10)))
        let written = OwnProcess.writtenBytes - writtenBefore
        guard status.rows == Int64(ids) else {
            throw BenchFailure("\(status.rows) of \(ids) rows are there")
        }
        let openTime = try reopen(path)
        return [
            Figure("events/s", .perSecond, Double(load.sent) / elapsed.inSeconds),
            Figure("first part/s", .perSecond, load.firstRate),
            Figure("last part/s", .perSecond, load.lastRate),
            Figure("last of first", .ratio, load.lastRate / max(load.firstRate, 1)),
            Figure("written an event", .bytes, Double(written) / Double(ids)),
            Figure("stored an event", .bytes, Double(status.fileBytes) / Double(ids)),
            Figure("resident", .bytes, Double(resident)),
            Figure("open again", .nanoseconds, openTime.inSeconds * 1e9),
        ]
    }

    private func open(_ path: String) throws(BenchFailure) -> EventStore {
        try attempt("a store") { () throws(StorageError) in
            try EventStore(path: path, now: WallClock.nowMilliseconds(), log: .silent)
        }
    }

    /// How long it takes until the store could take events again.
    private func reopen(_ path: String) throws(BenchFailure) -> Duration {
        let start = MonotonicTime.now()
        let store = try open(path)
        defer { store.close(deadline: .after(.seconds(10))) }
        guard store.isReadyToWrite else { throw BenchFailure("the store is not ready") }
        return MonotonicTime.now().since(start)
    }
}

/// Transactions of ten thousand events, each new or one that was sent before: half of those among the
/// last ten thousand, half anywhere.
private struct IdentityLoad {
    private static let rowsPerTransaction = 10_000

    private let ids: Int
    private let sentTwice: Double
    private let row = SampleRow()
    /// The system's asks the kernel each time, which took a quarter of what is measured.
    private var generator = SeededRandom(seed: 12)
    private var next = 0
    private(set) var sent = 0
    private(set) var elapsed = Duration.zero
    /// The first and the last part: a million ids, or a tenth if there are fewer than ten million.
    private let partIDs: Int
    private var first = (sent: 0, elapsed: Duration.zero)
    private var last = (sent: 0, elapsed: Duration.zero)

    init(ids: Int, sentTwice: Double) {
        self.ids = ids
        self.sentTwice = sentTwice
        partIDs = min(1_000_000, max(ids / 10, 1))
    }

    var isDone: Bool { next == ids }
    var firstRate: Double { Double(first.sent) / max(first.elapsed.inSeconds, 1e-9) }
    var lastRate: Double { Double(last.sent) / max(last.elapsed.inSeconds, 1e-9) }

    /// Stores a transaction, and does what is due after it.
    mutating func step(into store: EventStore) throws(BenchFailure) {
        let start = MonotonicTime.now()
        let (before, sentBefore) = (next, sent)
        do throws(StorageError) {
            try store.write(position: nil) { (inserter) throws(StorageError) in
                try fill(inserter)
            }
            try store.maintain(now: .now(), isIdle: false)
        } catch {
            throw BenchFailure("storing: \(error)")
        }
        let time = MonotonicTime.now().since(start)
        elapsed += time
        if before < partIDs {
            first = (first.sent + sent - sentBefore, first.elapsed + time)
        }
        if before >= ids - partIDs {
            last = (last.sent + sent - sentBefore, last.elapsed + time)
        }
    }

    private mutating func fill(_ inserter: EventInserter) throws(StorageError) {
        for _ in 0..<IdentityLoad.rowsPerTransaction where next < ids {
            try row.add(next, .client, to: inserter)
            next += 1
            sent += 1
            guard Double.random(in: 0..<1, using: &generator) < sentTwice else { continue }
            let nearest = max(0, next - IdentityLoad.rowsPerTransaction)
            let oldest = Bool.random(using: &generator) ? nearest : 0
            try row.add(Int.random(in: oldest..<next, using: &generator), .client, to: inserter)
            sent += 1
        }
        try row.flush(inserter)
    }
}
