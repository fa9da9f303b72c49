import Logs
import Primitives
import Storage
import TestSupport
import Testing

/// Days that hold logs of services with ages of their own.
@Suite(.blocking) struct LogRetentionTests {
    private static let day: Int64 = 86_400_000
    private let today = WallClock.nowMilliseconds() / LogRetentionTests.day

    private func line(_ message: String, _ service: String?, age: Int64) -> String {
        let time = Timestamp.format((today - age) * LogRetentionTests.day + 1000)
        let service = service.map { #","service":"\#($0)""# } ?? ""
        return #"{"time":"\#(time)","message":"\#(message)"\#(service)}"#
    }

    private func harness(
        _ policy: RetentionPolicy, in directory: TemporaryDirectory
    ) throws -> LogHarness {
        var options = LogStoreOptions()
        options.retention = policy
        return try LogHarness(options, in: directory)
    }

    private func wait(_ what: String, _ isSo: () throws -> Bool) throws {
        let deadline = Deadline.after(.seconds(60) * slowness)
        while !(try isSo()) {
            guard !deadline.hasPassed else { throw TestError("waited in vain until \(what)") }
            sleep(until: .after(.milliseconds(5)))
        }
    }

    @Test func `a service goes at its own age from days that others stay in`() throws {
        let directory = try TemporaryDirectory()
        let logs = try LogHarness(in: directory)
        for age: Int64 in [1, 5, 8] {
            try logs.post(
                lines: (0..<30).flatMap { number in
                    [
                        line("noise zebra\(number)", "noisy-a", age: age),
                        line("other \(number)", "shop", age: age),
                        line("nobody \(number)", nil, age: age),
                    ]
                }, now: LogHarness.later)
        }
        try logs.post(line("alone", "noisy-b", age: 6), now: LogHarness.later)
        let before = try logs.page(limit: 1000).records
        logs.store.stop()
        #expect(logs.isOnDisk("zebra29"))
        let policy = RetentionPolicy(
            standard: .seconds(30 * 86_400),
            rules: [.init(type: "noisy*", age: .seconds(2 * 86_400))])
        let kept = try harness(policy, in: directory)
        try wait("old noise is gone") { kept.store.counters.expired.count == 61 }
        // Rows, their ids and their order are what they were.
        let expected = before.filter {
            let isNoise = $0["service"]?.string?.hasPrefix("noisy") == true
            let isRecent = $0["time"]?.string.flatMap { Timestamp.parse($0) } ?? 0
            return !isNoise || isRecent > (today - 2) * LogRetentionTests.day
        }
        #expect(expected.count == 210 && before.count == 271)
        #expect(try kept.page(limit: 1000).records == expected)
        #expect(try kept.search("zebra7").count == 1)
        let histogram = try kept.store.histogram(
            LogFilter(), minutes: 1440, deadline: .after(.seconds(30)))
        #expect(histogram.buckets.map { $0.counts.reduce(0, +) } == [60, 60, 90])
        // Late records: of the noise they are too old, of others they are not.
        try kept.post(
            line("late", "noisy-c", age: 5), line("late", "shop", age: 5),
            line("late", "noisy-c", age: 7), now: LogHarness.later)
        #expect(try kept.search("late") == ["late"])
        #expect(kept.store.counters.tooOld.count == 2)
        kept.store.stop()
        let files = FileSystem.names(in: directory.file("logs"))
        // No day has a file left that holds nothing, nor a copy that was being made.
        #expect(files.filter { $0.hasSuffix(".db") }.count == 3)
        #expect(!files.contains { $0.contains(".new") })
        let check = try LogIntegrity(directory: directory.file("logs"), isUnused: true)
        #expect(check.problems.isEmpty && check.records == 211)
        for name in files
        where !name.hasPrefix(
            String(Timestamp.format((today - 1) * LogRetentionTests.day).prefix(10)))
        {
            let bytes = FileSystem.read(directory.file("logs/" + name)) ?? []
            #expect(!bytes.contains("zebra"), "in \(name)")
        }
    }

    @Test func `a day goes as a whole at the longest age, and never where one service stays`()
        throws
    {
        for longest in [Duration.seconds(4 * 86_400), nil] {
            let directory = try TemporaryDirectory()
            let logs = try LogHarness(in: directory)
            for age: Int64 in [1, 9] {
                try logs.post(
                    line("audit \(age)", "audit", age: age), line("shop \(age)", "shop", age: age),
                    now: LogHarness.later)
            }
            logs.store.stop()
            let policy = RetentionPolicy(
                standard: .seconds(2 * 86_400), rules: [.init(type: "audit", age: longest)])
            let kept = try harness(policy, in: directory)
            try wait("it is done") {
                kept.store.counters.dropped.count + kept.store.counters.expired.count == 1
            }
            let left = longest == nil ? ["audit 9"] : []
            #expect(try kept.messages() == ["shop 1", "audit 1"] + left)
            kept.store.stop()
        }
    }

    @Test func `what comes for a day while it is copied is not lost`() throws {
        let directory = try TemporaryDirectory()
        let logs = try LogHarness(in: directory)
        for start in stride(from: 0, to: 30_000, by: 5000) {
            try logs.post(
                lines: (start..<start + 5000).map {
                    line("first \($0)", $0 % 5 == 0 ? "noisy" : "shop", age: 5)
                }, now: LogHarness.later)
        }
        logs.store.stop()
        let policy = RetentionPolicy(rules: [.init(type: "noisy", age: .seconds(86_400))])
        let kept = try harness(policy, in: directory)
        var late = 0
        try wait("the noise is gone") {
            try kept.post(line("late \(late)", "shop", age: 5), now: LogHarness.later)
            late += 1
            return kept.store.counters.expired.count > 0
        }
        #expect(kept.store.counters.expired.count == 6000)
        let histogram = try kept.store.histogram(
            LogFilter(), minutes: 1440, deadline: .after(.seconds(30)))
        #expect(histogram.buckets.map { $0.counts.reduce(0, +) } == [24_000 + Int64(late)])
        #expect(try kept.search("late").count == min(late, 100))
        print("retention: \(late) records came while 30,000 were copied")
        kept.store.stop()
        let check = try LogIntegrity(directory: directory.file("logs"), isUnused: true)
        #expect(check.problems.isEmpty && check.records == 24_000 + Int64(late))
    }
}
