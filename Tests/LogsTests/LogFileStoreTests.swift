import Logs
import Primitives
import Storage
import TestSupport
import Testing

@Suite(.blocking) struct LogFileStoreTests {
    private func open(_ directory: TemporaryDirectory) throws -> LogFileStore {
        let store = try LogFileStore(
            directory: directory.file("logs"), LogStoreOptions(), log: .silent)
        store.start()
        return store
    }

    /// All lines of all files, each a JSON text.
    private func lines(_ directory: TemporaryDirectory) throws -> [JSONTree] {
        try FileSystem.names(in: directory.file("logs")).flatMap { name in
            try FileSystem.text(directory.file("logs/" + name)).split(separator: "\n")
                .map { try JSONTree.parse($0) }
        }
    }

    @Test func `every record is a line, and a line that a crash has cut is taken off`() throws {
        let directory = try TemporaryDirectory()
        let store = try open(directory)
        for _ in 0..<50 { #expect(store.offer(LogBatchHolder.one)) }
        #expect(store.flush(until: .after(.seconds(30))))
        store.stop()
        #expect(!store.offer(LogBatchHolder.one))
        #expect(try lines(directory).count == 50)
        #expect(try lines(directory)[0]["message"]?.string?.hasPrefix("a message") == true)
        #expect(try lines(directory)[0]["time"]?.string == "2026-11-01T00:00:00.000Z")
        let name = try #require(FileSystem.names(in: directory.file("logs")).last)
        let whole = try directory.read("logs/" + name)
        for tail in ["{\"time\":\"2026", String(repeating: "x", count: 200_000)] {
            try directory.write("logs/" + name, whole + Array(tail.utf8))
            let again = try open(directory)
            #expect(again.offer(LogBatchHolder.one))
            again.stop()
            #expect(try lines(directory).count == 51)
        }
        try directory.write("logs/" + name, "no line at all")
        let last = try open(directory)
        #expect(last.offer(LogBatchHolder.one))
        last.stop()
        #expect(try lines(directory).count == 1)
    }

    @Test func `the oldest files go when all are too large`() throws {
        let directory = try TemporaryDirectory()
        let logs = directory.file("logs")
        try open(directory).stop()
        for day in 1...5 {
            try directory.write("logs/2026-01-0\(day).ndjson", String(repeating: "x", count: 1000))
        }
        try directory.write("logs/notes.txt", "not ours")
        var options = LogStoreOptions()
        options.maxBytes = 3500
        let store = try LogFileStore(directory: logs, options, log: .silent)
        store.start()
        store.stop()
        #expect(
            FileSystem.names(in: logs) == [
                "2026-01-03.ndjson", "2026-01-04.ndjson", "2026-01-05.ndjson", "notes.txt",
            ])
        #expect(store.counters.dropped.count == 2 && store.counters.bytes.value == 3000)
    }

    @Test func `services with an age of their own have files of their own, which go by it`() throws
    {
        let directory = try TemporaryDirectory()
        let logs = directory.file("logs")
        var options = LogStoreOptions()
        options.retention = RetentionPolicy(
            standard: .seconds(30 * 86_400),
            rules: [
                .init(type: "noisy*", age: .seconds(2 * 86_400)), .init(type: "audit", age: nil),
                .init(type: "like-others", age: .seconds(30 * 86_400)),
            ])
        let today = WallClock.nowMilliseconds() / 86_400_000
        func day(_ age: Int64) -> String {
            String(Timestamp.format((today - age) * 86_400_000).prefix(10))
        }
        try open(directory).stop()
        for age: Int64 in [1, 5, 40] {
            for kind in ["", ".172800s", ".kept"] {
                try directory.write("logs/\(day(age))\(kind).ndjson", "{}\n")
            }
        }
        let store = try LogFileStore(directory: logs, options, log: .silent)
        store.start()
        let decoder = LogDecoder(LogBatchWriter(.standard), LogLimits())
        var body = ByteBuffer(capacity: 1024)
        for service in ["noisy-1", "audit", "shop", "noisy-2", "like-others"] {
            body.append(#"{"message":"m","service":"\#(service)"}"# + "\n")
        }
        body.append("{\"message\":\"m\"}\n")
        let batch = try decoder.decode(
            body.span, as: .ndjson, now: WallClock.nowMilliseconds()
        ) { _ in }
        #expect(store.offer(batch))
        store.stop()
        #expect(store.counters.stored.count == 6)
        let kept = [
            "\(day(40)).kept", "\(day(5))", "\(day(5)).kept", "\(day(1))", "\(day(1)).172800s",
            "\(day(1)).kept", "\(day(0))", "\(day(0)).172800s", "\(day(0)).kept",
        ]
        #expect(Set(FileSystem.names(in: logs)) == Set(kept.map { $0 + ".ndjson" }))
        func services(_ kind: String) throws -> [String?] {
            try FileSystem.text("\(logs)/\(day(0))\(kind).ndjson").split(separator: "\n")
                .map { try JSONTree.parse($0)["service"]?.string }
        }
        #expect(try services("") == ["shop", "like-others", nil])
        #expect(try services(".172800s") == ["noisy-1", "noisy-2"])
        #expect(try services(".kept") == ["audit"])
        #expect(store.counters.dropped.count == 3 && store.counters.days.value == 4)
    }
}
