import Logs
import Primitives
import Storage
import TestSupport
import Testing

@Suite(.blocking) struct LogStoreTests {
    private static let day: Int64 = 86_400_000

    private static func line(_ message: String, day: Int64) -> String {
        let time = Timestamp.format(LogHarness.start + day * LogStoreTests.day + 1000)
        return #"{"time":"\#(time)","service":"s","message":"\#(message)"}"#
    }

    @Test func `what was written is there after a restart, and nothing is kept open`() throws {
        let directory = try TemporaryDirectory()
        let logs = try LogHarness(in: directory)
        for day in 0..<7 {
            try logs.post(LogStoreTests.line("d\(day)", day: Int64(day)), now: LogHarness.later)
        }
        logs.store.stop()
        #expect(!logs.store.offer(LogBatchHolder.one))
        let names = FileSystem.names(in: directory.file("logs"))
        #expect(names.filter { $0.hasSuffix(".db") }.count == 7)
        // What was read after it was closed may have an empty log; none holds records.
        for name in names where name.hasSuffix("-wal") {
            #expect(FileSystem.read(directory.file("logs/" + name))?.isEmpty == true)
        }
        let again = try LogHarness(in: directory)
        #expect(try again.messages() == ["d6", "d5", "d4", "d3", "d2", "d1", "d0"])
        #expect(again.store.initialArrival == 7)
        let check = try LogIntegrity(directory: directory.file("logs"), isUnused: false)
        #expect(check.problems.isEmpty && check.days == 7 && check.records == 7)
        again.store.stop()
        #expect(
            try LogIntegrity(directory: directory.file("logs"), isUnused: true).problems.isEmpty)
    }

    @Test func `days beyond the age are dropped, and older records not taken`() throws {
        let directory = try TemporaryDirectory()
        let today = WallClock.nowMilliseconds() / LogStoreTests.day
        let first = today - LogHarness.start / LogStoreTests.day
        var options = LogStoreOptions()
        options.retention = RetentionPolicy(standard: .seconds(86_400 * 2))
        let logs = try LogHarness(options, in: directory)
        for age in 0..<5 {
            try logs.post(
                LogStoreTests.line("age \(age)", day: first - Int64(age)), now: LogHarness.later)
        }
        #expect(try logs.messages().sorted() == ["age 0", "age 1", "age 2"])
        #expect(logs.store.counters.tooOld.count == 2)
        logs.store.stop()
    }

    @Test func `a damaged file is set aside, and its day begins anew`() throws {
        let directory = try TemporaryDirectory()
        let logs = try LogHarness(in: directory)
        try logs.post(LogStoreTests.line("lost", day: 0))
        try logs.post(LogStoreTests.line("kept", day: 1))
        logs.store.stop()
        let path = directory.file("logs/2026-11-01.db")
        var bytes = try #require(FileSystem.read(path))
        for index in 0..<4096 { bytes[index] = 0x55 }
        try FileSystem.write(bytes, to: path)
        #expect(
            try !LogIntegrity(directory: directory.file("logs"), isUnused: true).problems.isEmpty)
        let again = try LogHarness(in: directory)
        #expect(again.store.counters.damaged.count == 1)
        try again.post(LogStoreTests.line("new", day: 0))
        #expect(try again.messages() == ["kept", "new"])
        again.store.stop()
        let names = FileSystem.names(in: directory.file("logs"))
        #expect(names.contains { $0.hasPrefix("2026-11-01.db.damaged-") })
        #expect(names.contains("2026-11-01.1.db"))
    }

    @Test func `a full-text index that does not hang together is found`() throws {
        let directory = try TemporaryDirectory()
        let logs = try LogHarness(in: directory)
        try logs.post(lines: (0..<500).map { LogStoreTests.line("word\($0) other\($0)", day: 0) })
        logs.store.stop()
        // SQLite keeps a connection of ours from the tables of an index.
        let script = """
            import sqlite3, sys
            store = sqlite3.connect(sys.argv[1])
            store.execute("DELETE FROM words_data WHERE id = (SELECT max(id) FROM words_data)")
            store.commit()
            """
        let damage = try ChildProcess(
            ["python3", "-c", script, directory.file("logs/2026-11-01.db")],
            output: directory.file("damage"), errors: directory.file("damage"))
        #expect(damage.exit(within: .seconds(30)) == .exited(0))
        let check = try LogIntegrity(directory: directory.file("logs"), isUnused: true)
        #expect(check.problems.contains { $0.contains("full-text") }, "\(check.problems)")
    }

    @Test func `erased records leave no byte behind, and the rest stays as it was`() throws {
        let directory = try TemporaryDirectory()
        let logs = try LogHarness(in: directory)
        for day in 0..<3 {
            try logs.post(
                lines: (0..<200).map { index in
                    LogStoreTests.line(
                        index % 10 == 0 ? "zebra secretword\(index)" : "other\(index)",
                        day: Int64(day))
                }, now: LogHarness.later)
        }
        #expect(logs.isOnDisk("secretword100"))
        var filter = LogFilter()
        filter.terms = LogTerms("zebra")
        filter.to = LogHarness.start + 2 * LogStoreTests.day
        #expect(try logs.store.count(filter, deadline: .after(.seconds(30))) == 40)
        let before = try logs.page(limit: 1000).records
        let outcome = Monitor<LogErasure?>(nil)
        #expect(
            logs.store.erase(filter) { result in
                if case .success(let erasure) = result { outcome.change { $0 = erasure } }
            })
        let erasure =
            outcome.wait(
                until: .after(.seconds(60)), for: { $0 != nil }, then: { $0 }) ?? nil
        #expect(erasure?.records == 40 && erasure?.days == 2)
        let after = try logs.page(limit: 1000).records
        #expect(
            after
                == before.filter {
                    $0["message"]?.string?.hasPrefix("zebra") == false
                        || $0["time"]?.string?.hasPrefix("2026-11-03") == true
                })
        let histogram = try logs.store.histogram(
            LogFilter(), minutes: 1440, deadline: .after(.seconds(30)))
        #expect(histogram.buckets.map { $0.counts.reduce(0, +) } == [180, 180, 200])
        #expect(try logs.search("secretword100").count == 1)
        logs.store.stop()
        var kept = FileSystem.names(in: directory.file("logs")).filter { $0.hasSuffix(".db") }
        #expect(kept == ["2026-11-01.1.db", "2026-11-02.1.db", "2026-11-03.db"])
        kept.removeLast()
        for name in kept {
            let bytes = try #require(FileSystem.read(directory.file("logs/" + name)))
            #expect(!bytes.contains("secretword") && !bytes.contains("zebra"))
        }
        let again = try LogHarness(in: directory)
        #expect(try again.page(limit: 1000).records == after)
        again.store.stop()
    }

    @Test func `a queue that is full refuses, and takes again once there is room`() throws {
        let directory = try TemporaryDirectory()
        var options = LogStoreOptions()
        options.queueBytes = 1 << 10
        options.gather = .seconds(3600)
        // Not started, so nothing leaves the queue.
        let store = try LogStore(directory: directory.file("logs"), options, log: .silent)
        var taken = 0
        while taken < 1000, store.offer(LogBatchHolder.one) { taken += 1 }
        #expect(taken > 1 && taken < 20)
        store.start()
        #expect(store.flush(until: .after(.seconds(30))))
        #expect(store.offer(LogBatchHolder.one))
        store.stop()
        #expect(store.counters.stored.count == UInt64(taken + 1))
        #expect(store.counters.lost.count == 0)
    }

    @Test func `what a tail missed comes in the order in which it came`() throws {
        let logs = try LogHarness()
        for (index, day) in [1, 0, 1, 0, 1].enumerated() {
            try logs.post(LogStoreTests.line("m\(index)", day: Int64(day)), now: LogHarness.later)
        }
        let missed = try logs.store.arrivals(
            after: LogPlace(arrival: 1, time: LogHarness.start), before: 5, LogFilter(),
            deadline: .after(.seconds(30)))
        #expect(missed.map(\.place.arrival) == [2, 3, 4])
        let messages = try logs.store.messages(at: missed, deadline: .after(.seconds(30)))
        let texts = try messages.map { try JSONTree.parse($0.json.text)["message"]?.string }
        #expect(texts == ["m1", "m2", "m3"])
        logs.store.stop()
    }
}
