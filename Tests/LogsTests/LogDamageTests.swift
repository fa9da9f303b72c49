import Logs
import Primitives
import Storage
import TestSupport
import Testing

/// Damaged files hold records too: they go with their day.
@Suite(.blocking) struct LogDamageTests {
    private static let day: Int64 = 86_400_000
    private let now = WallClock.nowMilliseconds()

    private func line(_ message: String, day: Int64) -> String {
        let time = (now / LogDamageTests.day + day) * LogDamageTests.day + 1000
        return #"{"time":"\#(Timestamp.format(time))","service":"s","message":"\#(message)"}"#
    }

    private func dayName(_ day: Int64) -> String {
        String(Timestamp.format((now / LogDamageTests.day + day) * LogDamageTests.day).prefix(10))
    }

    /// A folder with days of which those that are damaged were set aside at a start.
    private func folder(_ days: [Int64], damaged: [Int64]) throws -> TemporaryDirectory {
        let directory = try TemporaryDirectory()
        let logs = try LogHarness(in: directory)
        for day in days {
            try logs.post(
                lines: (0..<200).map { line("secretword\($0) d\(day)", day: day) }, now: now)
        }
        logs.store.stop()
        for day in damaged { try damage(directory, day, 0..<4096) }
        let again = try LogHarness(in: directory)
        again.store.stop()
        #expect(again.store.counters.damaged.count == UInt64(damaged.count))
        #expect(names(directory).count == damaged.count)
        return directory
    }

    private func damage(_ directory: TemporaryDirectory, _ day: Int64, _ range: Range<Int>) throws {
        let path = directory.file("logs/\(dayName(day)).db")
        var bytes = try #require(FileSystem.read(path))
        for index in range.clamped(to: 0..<bytes.count) { bytes[index] = 0x55 }
        try FileSystem.write(bytes, to: path)
    }

    /// Files that were set aside, without their write-ahead logs.
    private func names(_ directory: TemporaryDirectory) -> [String] {
        FileSystem.names(in: directory.file("logs")).filter {
            $0.contains(".damaged-") && !$0.hasSuffix("-wal") && !$0.hasSuffix("-shm")
        }
    }

    private func erase(_ logs: LogHarness, _ filter: LogFilter) throws -> LogErasure {
        let outcome = Monitor<Result<LogErasure, StorageError>?>(nil)
        #expect(logs.store.erase(filter) { result in outcome.change { $0 = result } })
        let result =
            outcome.wait(until: .after(.seconds(60)), for: { $0 != nil }, then: { $0 }) ?? nil
        return try #require(result).get()
    }

    @Test func `they count, and go with their day by size and by age`() throws {
        let directory = try folder([-3, -2, 0], damaged: [-3, -2, 0])
        let kept = try LogHarness(in: directory)
        #expect(kept.store.counters.setAside.value == 3 && kept.store.counters.days.value == 3)
        #expect(kept.store.counters.bytes.value > 3 * 20_000)
        kept.store.stop()
        var options = LogStoreOptions()
        options.retention = RetentionPolicy(standard: .seconds(2 * 86_400))
        let aged = try LogHarness(options, in: directory)
        #expect(aged.store.counters.setAside.value == 2 && aged.store.counters.dropped.count == 1)
        #expect(!names(directory).contains { $0.hasPrefix(dayName(-3)) })
        aged.store.stop()
        options = LogStoreOptions()
        options.maxBytes = 1
        let small = try LogHarness(options, in: directory)
        #expect(names(directory).count == 1 && names(directory)[0].hasPrefix(dayName(0)))
        #expect(small.store.isAtCap, "what is set aside of today is of today")
        small.store.stop()
    }

    @Test func `an erasure removes those of the days that it asks for, and says how many`() throws {
        let directory = try folder([-3, -2, 0], damaged: [-3, -2])
        let logs = try LogHarness(in: directory)
        var filter = LogFilter()
        filter.services = ["s"]
        filter.to = (now / LogDamageTests.day - 2) * LogDamageTests.day
        #expect(logs.store.setAside(filter) == 1)
        var erasure = try erase(logs, filter)
        #expect(erasure.records == 0 && erasure.setAside == 1)
        #expect(names(directory).count == 1 && names(directory)[0].hasPrefix(dayName(-2)))
        filter.to = nil
        erasure = try erase(logs, filter)
        #expect(erasure.records == 200 && erasure.setAside == 1 && erasure.days == 1)
        #expect(names(directory).isEmpty && !logs.isOnDisk("secretword"))
        logs.store.stop()
    }

    @Test func `a file that turns out to be damaged while it is erased does not stay`() throws {
        let directory = try folder([-2, 0], damaged: [])
        let logs = try LogHarness(in: directory)
        // Whatever is read first: all but the header, which says that it is one of ours.
        try damage(directory, -2, 8192..<Int.max)
        var filter = LogFilter()
        filter.services = ["s"]
        let erasure = try erase(logs, filter)
        #expect(erasure.records == 200 && erasure.setAside == 1)
        #expect(names(directory).isEmpty && !logs.isOnDisk("secretword"))
        #expect(logs.store.counters.damaged.count == 1)
        try logs.post(line("anew", day: -2), now: now)
        #expect(try logs.messages() == ["anew"])
        logs.store.stop()
    }
}
