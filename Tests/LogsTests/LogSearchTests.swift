import Logs
import Primitives
import TestSupport
import Testing

@Suite(.blocking) struct LogSearchTests {
    private static func line(
        _ message: String, minute: Int = 0, level: String = "info", service: String = "shop",
        _ more: String = ""
    ) -> String {
        let time = Timestamp.format(LogHarness.start + Int64(minute) * 60_000)
        return #"{"time":"\#(time)","level":"\#(level)","service":"\#(service)","#
            + #""message":"\#(message)"\#(more)}"#
    }

    @Test func `records come newest first by their own time, page by page`() throws {
        let logs = try LogHarness()
        // Out of order, over three days, several in one millisecond.
        let minutes = [5, 1440, 3, 3, 2880, 4, 1441, 3]
        for (index, minute) in minutes.enumerated() {
            try logs.post(
                LogSearchTests.line("m\(index)", minute: minute),
                now: LogHarness.start + 172_800_000)
        }
        let wanted = ["m4", "m6", "m1", "m0", "m5", "m7", "m3", "m2"]
        #expect(try logs.messages() == wanted)
        for limit in 1...9 {
            var found: [String] = []
            var cursor: LogCursor?
            repeat {
                let page = try logs.page(before: cursor, limit: limit)
                found += page.records.compactMap { $0["message"]?.string }
                cursor = page.next.flatMap { LogCursor(text: $0.text) }
            } while cursor != nil
            #expect(found == wanted)
        }
        var filter = LogFilter()
        filter.from = LogHarness.start + 3 * 60_000
        filter.to = LogHarness.start + 1440 * 60_000
        #expect(try logs.messages(filter) == ["m0", "m5", "m7", "m3", "m2"])
        logs.store.stop()
    }

    @Test func `more records of one millisecond than it has slots keep their order`() throws {
        let logs = try LogHarness()
        let count = 9000
        try logs.post(lines: (0..<count).map { LogSearchTests.line("a\($0)") })
        try logs.post(lines: (0..<3).map { LogSearchTests.line("b\($0)") })
        try logs.post(LogSearchTests.line("before", minute: -1))
        let newest = try logs.messages(limit: 3)
        #expect(newest == ["b2", "b1", "b0"] || newest == ["a8999", "a8998", "a8997"])
        let all = try logs.messages(limit: 10_000)
        #expect(all.count == count + 4 && all.last == "before")
        #expect(all.filter { $0.hasPrefix("a") } == (0..<count).reversed().map { "a\($0)" })
        var filter = LogFilter()
        filter.from = LogHarness.start
        filter.to = LogHarness.start + 1
        #expect(try logs.messages(filter, limit: 10_000).count == count + 3)
        logs.store.stop()
    }

    @Test func `a level is a least one; services are any of several`() throws {
        let logs = try LogHarness()
        for (index, level) in ["debug", "info", "warn", "error", "critical"].enumerated() {
            try logs.post(
                LogSearchTests.line(level, minute: index, level: level, service: "s\(index % 2)"))
        }
        try logs.post(#"{"message":"none"}"#)
        var filter = LogFilter()
        filter.severity = 13
        #expect(try logs.messages(filter) == ["critical", "error", "warn"])
        filter.severity = 5
        #expect(try logs.messages(filter) == ["critical", "error", "warn", "info", "debug"])
        filter.services = ["s0"]
        #expect(try logs.messages(filter) == ["critical", "warn", "debug"])
        filter.services = ["s0", "s1", "unknown"]
        #expect(try logs.messages(filter).count == 5)
        filter.services = ["unknown"]
        #expect(try logs.messages(filter).isEmpty)
        logs.store.stop()
    }

    @Test func `words are found in messages and in values, whatever they look like`() throws {
        let logs = try LogHarness()
        let messages = [
            "connection reset by multi-agent peer", "O'Brien AND (NOT) OR NEAR: it's",
            "the café is open", "数据库连接失败 timeout", "データベース接続", "-> 100% done",
            "plain connection", "column: value",
        ]
        for message in messages { try logs.post(LogSearchTests.line(message)) }
        try logs.post(
            LogSearchTests.line("with attributes", #","path":"/cart/checkout","order":1042"#))
        let cases: [(String, Int)] = [
            ("connection", 2), ("CONNECTION reset", 1), ("reset connection", 1), ("conn*", 2),
            ("multi-agent", 1), ("agent-multi", 0), (#""reset by""#, 1), (#""by reset""#, 0),
            ("O'Brien", 1), ("it's", 1), ("AND", 1), ("NOT", 1), ("NEAR", 1), ("(", 1), (":", 2),
            ("}", 0),
            ("cafe", 1), ("café", 1), ("数据库", 1), ("连接失败", 1), ("失连", 0), ("接続", 1),
            ("ベース", 1), ("败 timeout", 1), ("->", 1), ("100%", 1), ("%", 1), ("_", 0),
            ("checkout", 1), ("1042", 1), ("path", 0), ("column: value", 1), ("nothing", 0),
            ("words:connection", 0), (#"a" OR "b"#, 0), ("*", 0), ("\\", 0), ("--", 0), (";", 0),
        ]
        for (words, count) in cases {
            let found = try logs.search(words)
            #expect(found.count == count, "\(words): \(found)")
        }
        logs.store.stop()
    }

    @Test func `a trace is found, alone and beside words and a service`() throws {
        let logs = try LogHarness()
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        for index in 0..<4 {
            let id = index % 2 == 0 ? trace : "aaaa2f3577b34da6a3ce929d0e0e4736"
            try logs.post(
                LogSearchTests.line(
                    "step \(index)", minute: index, service: "s\(index / 2)",
                    #","trace_id":"\#(id)""#))
        }
        // Somebody else's id in a message is no trace of theirs.
        try logs.post(LogSearchTests.line("saw \(trace)"))
        var filter = LogFilter()
        let bytes = Bytes(trace)
        filter.traceID = HexID.trace(bytes.span)
        withExtendedLifetime(bytes) {}
        #expect(try logs.messages(filter) == ["step 2", "step 0"])
        #expect(try logs.page(filter).records[0]["trace_id"]?.string == trace)
        filter.terms = LogTerms("step 0")
        #expect(try logs.messages(filter) == ["step 0"])
        filter.terms = nil
        filter.services = ["s1"]
        #expect(try logs.messages(filter) == ["step 2"])
        logs.store.stop()
    }

    @Test func `counts over time and by value are those of the records`() throws {
        let logs = try LogHarness()
        var generator = SeededGenerator(seed: 7)
        let levels = ["debug", "info", "warn", "error"]
        var lines: [String] = []
        for index in 0..<2000 {
            let minute = Int(generator.next() % 3000)
            let level = levels[Int(generator.next() % 4)]
            lines.append(
                LogSearchTests.line(
                    "n \(index % 7)", minute: minute, level: level,
                    service: "s\(generator.next() % 5)", #","http.method":"M\#(index % 3)""#))
        }
        try logs.post(lines: lines, now: LogHarness.start + 3 * 86_400_000)
        var filters: [LogFilter] = [LogFilter()]
        filters.append(LogFilter())
        filters[1].severity = 13
        filters.append(filters[1])
        filters[2].services = ["s1", "s2"]
        filters.append(filters[2])
        filters[3].from = LogHarness.start + 100 * 60_000
        filters[3].to = LogHarness.start + 2000 * 60_000
        filters.append(filters[3])
        filters[4].from = LogHarness.start + 100 * 60_000 + 1
        filters.append(LogFilter())
        filters[5].terms = LogTerms("3")
        let deadline = Deadline.after(.seconds(60))
        for filter in filters {
            let records = try logs.page(filter, limit: 5000).records
            let histogram = try logs.store.histogram(filter, minutes: 60, deadline: deadline)
            #expect(histogram.buckets.flatMap(\.counts).reduce(0, +) == Int64(records.count))
            var byHour: [Int64: Int64] = [:]
            for record in records {
                guard let time = record["time"]?.string.flatMap({ Timestamp.parse($0) }) else {
                    continue
                }
                byHour[time / 3_600_000 * 3_600_000, default: 0] += 1
            }
            #expect(
                Dictionary(
                    uniqueKeysWithValues: histogram.buckets.map {
                        ($0.time, $0.counts.reduce(0, +))
                    }) == byHour)
            for (field, path) in [("service", "service"), ("level", "level")] {
                let facets = try logs.store.facets(
                    try #require(LogField(field)), filter, limit: 100, deadline: deadline)
                var wanted: [String: Int64] = [:]
                for record in records { wanted[record[path]?.string ?? "", default: 0] += 1 }
                var found: [String: Int64] = [:]
                for (value, count) in facets.values {
                    if case .text(let text) = value { found[text] = count }
                }
                #expect(found == wanted)
            }
            let methods = try logs.store.facets(
                .attribute("http.method"), filter, limit: 10, deadline: deadline)
            #expect(methods.total == Int64(records.count) && methods.values.count == 3)
        }
        logs.store.stop()
    }

    @Test func `a total is of all records, however many values there are`() throws {
        let logs = try LogHarness()
        let days = 2
        for day in 0..<days {
            let lines = (0..<10_050).map {
                LogSearchTests.line("n", minute: day * 1440 + 1, #","uid":"\#(day) \#($0)""#)
            }
            try logs.post(lines: lines, now: LogHarness.later)
        }
        try logs.post(
            lines: (0..<3).map { _ in LogSearchTests.line("n", minute: 5, #","uid":"often""#) }
                + [LogSearchTests.line("n", minute: 5)], now: LogHarness.later)
        let deadline = Deadline.after(.seconds(60))
        let facets = try logs.store.facets(
            .attribute("uid"), LogFilter(), limit: 10, deadline: deadline)
        #expect(facets.total == Int64(days * 10_050 + 3) && facets.isTruncated)
        #expect(facets.values.first?.value == .text("often") && facets.values.first?.count == 3)
        let few = try logs.store.facets(
            .attribute("none"), LogFilter(), limit: 10, deadline: deadline)
        #expect(few.total == 0 && few.values.isEmpty && !few.isTruncated)
        logs.store.stop()
    }

    @Test func `booleans, numbers and texts are values of their own`() throws {
        let logs = try LogHarness()
        let values = [
            "true", "true", "true", "1", "1", #""true""#, "false", "0", "1.5", #""1""#, "null",
            #"{"a":true}"#,
        ]
        try logs.post(
            lines: values.map {
                LogSearchTests.line("n", minute: 1, #","v":\#($0),"p":{"q":\#($0)}"#)
            },
            now: LogHarness.later)
        for path in ["v", "p.q"] {
            let facets = try logs.store.facets(
                .attribute(path), LogFilter(), limit: 20, deadline: .after(.seconds(60)))
            let found = Dictionary(uniqueKeysWithValues: facets.values.map { ($0.value, $0.count) })
            #expect(
                found == [
                    .boolean(true): 3, .integer(1): 2, .text("true"): 1, .boolean(false): 1,
                    .integer(0): 1, .real(1.5): 1, .text("1"): 1, .text(#"{"a":true}"#): 1,
                ])
            #expect(facets.total == 11 && !facets.isTruncated)
        }
        logs.store.stop()
    }
}
