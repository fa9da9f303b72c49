import Primitives
import Storage
import Telemetry
import TestSupport

@testable import Query

/// A store with rollups and what happens to it: events that are late, sent twice, out of order,
/// deleted by age, erased; transactions that fail; declarations that change.
final class RollupHistory {
    private(set) var store: EventStore
    private(set) var rollups: [Rollup]
    private var set: RollupSet
    private let directory: TemporaryDirectory
    let start: Int64
    private var nextID = 0
    /// Events that were older than one before them, and events with an id that was there before.
    private(set) var lateCount = 0
    private(set) var sentTwiceCount = 0
    private var newest = Int64.min
    private var nextErasure = 0
    private var clock = MonotonicTime.now()

    init(_ rollups: [Rollup], start: Int64) throws {
        directory = try TemporaryDirectory()
        self.rollups = rollups
        self.start = start
        (store, set) = try RollupHistory.open(directory, rollups)
    }

    deinit { store.close(deadline: .after(.seconds(10))) }

    private static func open(
        _ directory: TemporaryDirectory, _ rollups: [Rollup]
    ) throws -> (EventStore, RollupSet) {
        let set = RollupSet(rollups)
        var options = EventStoreOptions()
        options.derived = set
        let store = try EventStore(
            path: directory.file("store.db"), now: 0, log: .silent, options: options)
        for chore in set.chores { store.add(chore) }
        store.add(
            .retention(RetentionPolicy(rules: [.init(type: "a*", age: .seconds(86_400))])))
        return (store, set)
    }

    /// Opens the store anew, with other declarations.
    func reopen(_ rollups: [Rollup]) throws {
        store.close(deadline: .after(.seconds(10)))
        self.rollups = rollups
        (store, set) = try RollupHistory.open(directory, rollups)
    }

    func rebuild(_ name: String) { _ = set.requestRebuild(name) }

    /// A step of what the writer does between batches.
    /// - Parameter wall: nil is long before any event is too old for its type.
    func maintain(isIdle: Bool = true, wall: Int64? = nil) throws {
        clock = clock + .seconds(1)
        try store.maintain(now: clock, wall: wall ?? start, isIdle: isIdle)
    }

    /// Events of the type `a` that are older than a day at `wall` go.
    func age(to wall: Int64) throws {
        clock = clock + .seconds(61)
        let rows = store.status.rows
        repeat { try maintain(isIdle: false, wall: wall) } while store.hasUrgentChore
        if store.status.rows != rows { try maintain(isIdle: false, wall: wall) }
    }

    /// Until nothing is left to do.
    func settle() throws {
        repeat { try maintain() } while store.hasUrgentChore
        for _ in 0..<50 { try maintain() }
    }

    /// Events go for good.
    /// - Parameter isWhole: false leaves the erasure somewhere in the middle.
    func erase(_ filter: EventFilter, isWhole: Bool) throws {
        nextErasure += 1
        let id = "erasure \(nextErasure)"
        let erasure = Erasure(
            id: id, requested: 0, node: "n", conditions: "subject",
            matcher: ErasureMatcher(filter))
        guard store.erase(erasure, barrier: { 0 }) != nil else { throw TestError("no room") }
        repeat {
            try maintain(isIdle: false)
            if store.erasures.erasure(id)?.stage == .copies {
                store.erasures.copiesAreGone(of: id)
            }
        } while isWhole && store.erasures.erasure(id)?.stage != .finished
        guard isWhole else { return }
        let left = try store.count(filter, deadline: .after(.seconds(60) * slowness))
        if left != 0 { throw TestError("\(left) events are still there") }
    }

    func retain(after cutoff: Int64) throws {
        while try !store.retain(after: cutoff, limit: 7).isDone {}
    }

    /// Stores events, one of them perhaps twice.
    /// - Parameter isAborted: the transaction fails at its end.
    func write(
        _ count: Int, isAborted: Bool = false, _ random: inout SeededGenerator
    ) throws {
        let events = (0..<count).map { _ in event(&random) }
        do {
            try store.write(position: nil) { (inserter) throws(StorageError) in
                for event in events { try event.add(to: inserter) }
                _ = try inserter.flush()
                if isAborted { throw StorageError(.full, "the test says so") }
            }
        } catch {
            guard isAborted else { throw error }
        }
    }

    /// Stores events `{"k":…,"v":…}` of the type `a`, a second apart, `v` counting up from 1.
    func write(ascending range: Range<Int>) throws {
        for first in stride(from: range.lowerBound, to: range.upperBound, by: 5000) {
            let events = (first..<min(first + 5000, range.upperBound)).map { index in
                HeldEvent(
                    id: "n\(index)", type: "a", time: start + Int64(index) * 1000,
                    data: "{\"k\":\(index % 5),\"v\":\(index + 1)}")
            }
            try store.write(position: nil) { (inserter) throws(StorageError) in
                for event in events { try event.add(to: inserter) }
                _ = try inserter.flush()
            }
        }
    }

    /// The rows of an answer to a statement.
    func sql(_ statement: String) throws -> [[JSONTree]] {
        let pool = SandboxPool(
            path: store.path, eventBytes: 256 << 10, tables: SQLTables(rollups: rollups),
            readers: store.readers)
        defer { pool.close() }
        let answer = try SQLRunner(pool).answer(
            SQLQuestion(sql: statement), deadline: .after(.seconds(60) * slowness))
        return try JSONTree.parse(answer.body.text)["rows"]?.elements.map(\.elements) ?? []
    }

    private func event(_ random: inout SeededGenerator) -> HeldEvent {
        nextID += 1
        let id = random.chance(10) ? Int.random(in: 0...nextID, using: &random) : nextID
        if id < nextID { sentTwiceCount += 1 }
        let time = start + Int64.random(in: 0..<3 * 86_400_000, using: &random)
        if time < newest { lateCount += 1 }
        newest = max(newest, time)
        var members: [String] = []
        func add(_ name: String, _ values: [String]) {
            if random.chance(85) { members.append("\"\(name)\":" + random.pick(values)) }
        }
        add("c", ["\"DE\"", "\"US\"", "\"FR\"", "1", "1.0", "true", "null", "2.5"])
        add(
            "v", ["1", "7", "-3", "0.1", "2.7", "1e10", "1e-3", "\"n/a\"", "\"zz\"", "null", "7.0"])
        add("w", ["9223372036854775807", "-5", "12", "3"])
        add("u", (0..<30).map { "\"user \($0)\"" } + ["1", "1.0", "null"])
        return HeldEvent(
            id: "e\(id)", type: random.pick(["a", "a", "b", "c"]),
            source: random.pick(["/x", "/y"]), subject: random.pick([nil, "ann", "bob", "eve"]),
            time: time,
            data: random.chance(95) ? "{" + members.joined(separator: ",") + "}" : nil,
            extensions: random.chance(60)
                ? "{\"tenant\":\"\(random.pick(["t1", "t2", "t3"]))\"}" : nil)
    }

    func answer(_ query: [(String, String)]) throws -> QueryAnswer {
        try QueryService(store.readers, rollups: rollups).answer(
            QueryRequest.parse(query.map { parameter($0.0, $0.1) }), now: start + 86_400_000 * 2,
            deadline: .after(.seconds(60) * slowness))
    }
}

/// An event with the bytes that its row borrows.
struct HeldEvent {
    private let held: [Bytes?]
    private let time: Int64

    init(
        id: String, type: String, source: String = "/s", subject: String? = nil, time: Int64,
        data: String?, extensions: String? = nil
    ) {
        held = [id, type, source, subject, data, extensions].map { $0.map { Bytes($0) } }
        self.time = time
    }

    func add(to inserter: EventInserter) throws(StorageError) {
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        try inserter.add(
            EventRow(
                identity: .client(held[0]?.span ?? empty), time: time,
                type: held[1]?.span ?? empty, source: held[2]?.span ?? empty,
                subject: held[3]?.span, data: held[4]?.span, extensions: held[5]?.span))
    }
}
