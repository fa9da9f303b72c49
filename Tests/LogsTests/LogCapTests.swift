import Logs
import Primitives
import Storage
import TestSupport
import Testing

/// More logs than `maxBytes`, some from clocks that are wrong.
@Suite(.blocking) struct LogCapTests {
    private static let day: Int64 = 86_400_000
    private let now = WallClock.nowMilliseconds()

    private func line(_ message: String, day: Int64) -> String {
        let time = (now / LogCapTests.day + day) * LogCapTests.day + 1000
        return #"{"time":"\#(Timestamp.format(time))","message":"\#(message)"}"#
    }

    private func dayName(_ day: Int64) -> String {
        String(Timestamp.format((now / LogCapTests.day + day) * LogCapTests.day).prefix(10))
    }

    private func wait(_ what: String, _ isSo: () throws -> Bool) throws {
        let deadline = Deadline.after(.seconds(60) * slowness)
        while !(try isSo()) {
            guard !deadline.hasPassed else { throw TestError("waited in vain until \(what)") }
            sleep(until: .after(.milliseconds(5)))
        }
    }

    private var small: LogStoreOptions {
        var options = LogStoreOptions()
        options.maxBytes = 1
        return options
    }

    @Test func `size drops days that are over, and their records are refused from then on`() throws
    {
        let directory = try TemporaryDirectory()
        let logs = try LogHarness(in: directory)
        for day: Int64 in [-3, -2, 0] { try logs.post(line("d\(day)", day: day), now: now) }
        #expect(!logs.store.isAtCap)
        logs.store.stop()
        let kept = try LogHarness(small, in: directory)
        #expect(try kept.messages() == ["d0"])
        #expect(kept.store.counters.dropped.count == 2 && kept.store.isAtCap)
        try kept.post(line("late", day: -3), now: now)
        try kept.post(line("in time", day: 0), now: now)
        #expect(try kept.messages() == ["in time", "d0"])
        #expect(kept.store.counters.tooOld.count == 1)
        kept.store.stop()
        let again = try LogHarness(in: directory)
        try again.post(line("late", day: -2), now: now)
        #expect(try again.messages() == ["in time", "d0"])
        again.store.stop()
    }

    @Test func `a record from a clock ahead costs no other one, now or later`() throws {
        let directory = try TemporaryDirectory()
        let logs = try LogHarness(small, in: directory)
        try logs.post(line("before", day: 0), now: now)
        try logs.post(line("ahead", day: 1), now: now)
        try wait("all is too large") { logs.store.isAtCap }
        try logs.post(line("after", day: 0), now: now)
        #expect(try logs.messages() == ["ahead", "after", "before"])
        #expect(logs.store.counters.dropped.count == 0 && logs.store.counters.tooOld.count == 0)
        logs.store.stop()
        let again = try LogHarness(small, in: directory)
        #expect(again.store.isAtCap)
        try again.post(line("restarted", day: 0), now: now)
        #expect(try again.messages() == ["ahead", "restarted", "after", "before"])
        again.store.stop()
        #expect(!FileSystem.names(in: directory.file("logs")).contains("dropped-until"))
    }

    @Test func `a floor that lies ahead does not close the days that are still to come`() throws {
        let directory = try TemporaryDirectory()
        try LogHarness(in: directory).store.stop()
        try directory.write("logs/dropped-until", dayName(1) + "\n")
        let logs = try LogHarness(in: directory)
        try logs.post(
            line("yesterday", day: -1), line("today", day: 0), line("tomorrow", day: 1), now: now)
        #expect(try logs.messages() == ["tomorrow", "today"])
        #expect(logs.store.counters.tooOld.count == 1)
        logs.store.stop()
    }

    @Test func `records of very many days make few files at once, and keep no other waiting`()
        throws
    {
        let directory = try TemporaryDirectory()
        let logs = try LogHarness(in: directory)
        let start = MonotonicTime.now()
        try logs.post(lines: (-1500 ... -1).map { line("d\($0)", day: $0) }, now: now)
        try logs.post(line("fresh", day: 0), now: now)
        #expect(try logs.messages(limit: 1) == ["fresh"])
        let took = MonotonicTime.now().since(start)
        print("1,500 days at once: a fresh record was visible after \(took)")
        #expect(took < .seconds(10) * slowness)
        // The newest are kept, the others counted.
        #expect(try logs.messages() == ["fresh"] + (1...16).map { "d-\($0)" })
        #expect(logs.store.counters.stored.count == 17 && logs.store.counters.tooOld.count == 1484)
        // Days that are there take more, others come in the next turn.
        try logs.post(lines: (-30 ... -10).map { line("again", day: $0) }, now: now)
        #expect(logs.store.counters.stored.count == 17 + 21)
        logs.store.stop()
        #expect(
            FileSystem.names(in: directory.file("logs")).filter { $0.hasSuffix(".db") }.count == 31)
    }

    @Test func `no more days of the past have files than may`() throws {
        let directory = try TemporaryDirectory()
        let logs = try LogHarness(in: directory)
        try logs.post(line("before", day: -9), now: now)
        logs.store.stop()
        var options = LogStoreOptions()
        options.dayLimit = 5
        let limited = try LogHarness(options, in: directory)
        // A day that is there already is no new one.
        for day: Int64 in [-5, -6, -9, 0] { try limited.post(line("d\(day)", day: day), now: now) }
        #expect(try limited.messages() == ["d0", "d-5", "d-6", "d-9", "before"])
        for day: Int64 in [-4, -3, -2, -1] { try limited.post(line("d\(day)", day: day), now: now) }
        // Five days have files by then; today's would be made all the same.
        #expect(try limited.messages() == ["d0", "d-4", "d-5", "d-6", "d-9", "before"])
        #expect(limited.store.counters.tooOld.count == 3)
        limited.store.stop()
        // A start drops what is beyond the limit.
        options.dayLimit = 4
        let again = try LogHarness(options, in: directory)
        #expect(try again.messages() == ["d0", "d-4", "d-5", "d-6"])
        again.store.stop()
    }

    @Test func `the file of lines that is open stays, though one of tomorrow is there`() throws {
        let directory = try TemporaryDirectory()
        let logs = directory.file("logs")
        var store = try LogFileStore(directory: logs, LogStoreOptions(), log: .silent)
        try directory.write("logs/\(dayName(-1)).ndjson", String(repeating: "x", count: 1000))
        try directory.write("logs/\(dayName(1)).ndjson", "")
        store = try LogFileStore(directory: logs, small, log: .silent)
        store.start()
        let total = 30
        for _ in 0..<total {
            #expect(store.offer(LogBatchHolder.one))
            #expect(store.flush(until: .after(.seconds(30))))
        }
        try wait("all is too large") { store.isAtCap }
        store.stop()
        #expect(
            FileSystem.names(in: logs) == [dayName(0), dayName(1)].map { $0 + ".ndjson" })
        #expect(
            FileSystem.text("\(logs)/\(dayName(0)).ndjson").split(separator: "\n").count == total)
        #expect(store.counters.dropped.count == 1)
    }
}
