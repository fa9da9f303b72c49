import Logs
import Primitives
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
}
