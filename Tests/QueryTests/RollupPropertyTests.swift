import Primitives
import Storage
import TestSupport
import Testing

@testable import Query

@Suite(.blocking) struct RollupPropertyTests {
    /// The days around a change of clocks, so that days of 23 and of 25 hours occur.
    private static let starts: [Int64] = [1_711_700_000_000, 1_729_800_000_000, -90_000_000]

    private func rollups(maxGroups: Int = 6) throws -> [Rollup] {
        [
            Rollup(
                name: "wide", types: [], interval: .hour,
                groups: try Rollup.groups(["c", "type"]),
                metrics: try Rollup.metrics([
                    "count", "avg:v", "min:v", "max:v", "sum:w", "uniq:u", "p95:v",
                ])),
            Rollup(
                name: "narrow", types: ["a"], interval: .quarterHour, groups: [],
                metrics: try Rollup.metrics([
                    "sum:w", "min:time", "max:time", "max:subject", "sum:v",
                ])),
            Rollup(
                name: "tight", types: ["a", "b"], interval: .day,
                groups: try Rollup.groups(["subject", "type", "source", "ext.tenant"]),
                metrics: try Rollup.metrics(["count", "min:v", "avg:w"]), maxGroups: maxGroups),
        ]
    }

    private func query(_ start: Int64, _ random: inout SeededGenerator) -> [(String, String)] {
        var query: [(String, String)]
        let groups: [String]
        let metrics: [String]
        switch Int.random(in: 0..<3, using: &random) {
        case 0:
            metrics = ["count", "avg:v", "sum:v", "min:v", "max:v", "sum:w", "avg:w"]
            groups = ["c", "type", "data.c"]
            query = random.chance(50) ? [] : [("event", random.pick(["a", "a,b", "c", "none"]))]
        case 1:
            metrics = ["count", "sum:w", "min:time", "max:time", "max:subject", "avg:v"]
            groups = []
            query = [("event", "a")]
        default:
            metrics = ["count", "min:v", "sum:w", "avg:w"]
            groups = ["subject", "type", "source", "ext.tenant"]
            query = [("event", random.pick(["a", "b", "a,b"]))]
        }
        let chosen = random.some(metrics, 4)
        query.append(("metric", chosen.isEmpty ? "count" : chosen.joined(separator: ",")))
        addRange(start, to: &query, &random)
        let by = random.some(groups, 2)
        if Set(by) != ["c", "data.c"], !by.isEmpty {
            query.append(("group_by", by.joined(separator: ",")))
        }
        if let field = random.some(groups, 1).first, random.chance(40) {
            query.append(("where", field + ":" + random.pick(conditions)))
        }
        if random.chance(60) {
            query.append(("interval", random.pick(["15m", "1h", "6h", "12h", "1d", "1w", "1mo"])))
            query.append(
                ("tz", random.pick(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])))
            if random.chance(30) { query.append(("fill", random.pick(["0", "null"]))) }
        }
        query.append(("limit", "10000"))
        return query
    }

    private let conditions = [
        "eq:DE", "ne:DE", "in:US,FR", "eq:1", "exists", "exists:false", "prefix:t", "gt:a", "eq:a",
        "lt:2", "ne:null", "eq:/x", "contains:2",
    ]

    private func addRange(
        _ start: Int64, to query: inout [(String, String)], _ random: inout SeededGenerator
    ) {
        let step: Int64 = random.pick([1, 60_000, 3_600_000, 86_400_000])
        let from = floor(
            start + Int64.random(in: -3_600_000..<86_400_000, using: &random), to: step)
        query.append(("from", Timestamp.format(from)))
        guard random.chance(70) else { return }
        let length = Int64.random(in: 1...3 * 86_400_000, using: &random)
        query.append(("to", Timestamp.format(floor(from + length, to: step) + step)))
    }

    @Test func `answers from rollups are those from events, whatever has happened`() throws {
        let seed = UInt64.random(in: .min ... .max)
        print("RollupPropertyTests seed \(seed)")
        var random = SeededGenerator(seed: seed)
        var seen = Seen()
        for round in 0..<6 {
            let start = Self.starts[round % Self.starts.count]
            let history = try RollupHistory(try rollups(), start: start)
            for _ in 0..<14 {
                try happen(history, start, &random)
                for _ in 0..<12 { try compare(history, query(start, &random), &seen) }
                try compareSums(history)
            }
            try history.settle()
            for _ in 0..<30 { try compare(history, query(start, &random), &seen) }
            seen.late += history.lateCount
            seen.sentTwice += history.sentTwiceCount
        }
        // Otherwise nothing was compared.
        print("answered by rollups: \(seen)")
        #expect(seen.fromRollups > 200)
        #expect(seen.midnights > 20 && seen.clockChanges > 5)
        #expect(seen.late > 1000 && seen.sentTwice > 20)
    }

    /// What the questions that rollups answered were about, and what had happened before.
    private struct Seen {
        var fromRollups = 0
        /// With days, weeks or months as buckets, over a midnight.
        var midnights = 0
        /// The same over a change of the zone's clocks.
        var clockChanges = 0
        /// Events that were older than one stored before them.
        var late = 0
        var sentTwice = 0
    }

    /// When Berlin's clocks change near the starts.
    private static let clockChanges: [Int64] = [1_711_846_800_000, 1_729_990_800_000]

    private func happen(
        _ history: RollupHistory, _ start: Int64, _ random: inout SeededGenerator
    ) throws {
        switch Int.random(in: 0..<16, using: &random) {
        case 14, 15:
            var filter = EventFilter(
                types: random.some(["a", "b", "c"], 2), subjects: random.some(["ann", "bob"], 1))
            if random.chance(50) {
                filter.from = start + Int64.random(in: 0..<2 * 86_400_000, using: &random)
            }
            if filter == EventFilter() { filter.sources = ["/x"] }
            try history.erase(filter, isWhole: random.chance(70))
        case 0:
            try history.retain(
                after: start + Int64.random(in: 0..<2 * 86_400_000, using: &random))
        case 1: try history.write(20, isAborted: true, &random)
        case 9:
            try history.age(
                to: start + Int64.random(in: 86_400_000..<3 * 86_400_000, using: &random))
        case 2: history.rebuild(random.pick(["wide", "narrow", "tight"]))
        case 3: try history.reopen(try rollups(maxGroups: random.pick([1, 6, 100])))
        case 4: try history.reopen([])
        case 5, 6: try history.maintain(isIdle: random.chance(50))
        case 7, 8: try history.settle()
        default:
            try history.write(Int.random(in: 1...150, using: &random), &random)
            if history.rollups.isEmpty { try history.reopen(try rollups()) }
        }
    }

    private func compare(
        _ history: RollupHistory, _ query: [(String, String)], _ seen: inout Seen
    ) throws {
        guard try compare(history, query) == 1 else { return }
        seen.fromRollups += 1
        func value(_ name: String) -> String? { query.first { $0.0 == name }?.1 }
        guard let from = value("from").flatMap({ Timestamp.parse($0) }),
            ["1d", "1w", "1mo"].contains(value("interval"))
        else { return }
        let to = value("to").flatMap { Timestamp.parse($0) } ?? history.start + 3 * 86_400_000
        if to - from > 86_400_000 { seen.midnights += 1 }
        let isChanged = Self.clockChanges.contains { from < $0 && $0 < to }
        if isChanged, value("tz") == "Europe/Berlin" { seen.clockChanges += 1 }
    }

    /// - Returns: 1 if a rollup gave the answer.
    private func compare(_ history: RollupHistory, _ query: [(String, String)]) throws -> Int {
        let answer = try history.answer(query)
        let events = try history.answer(query + [("rollup", "off")])
        let plan = try JSONTree.parse(try history.answer(query + [("explain", "1")]).body.text)
        #expect(answer.body.text == events.body.text, "\(query) \(plan)")
        return plan["source"]?.string == "rollup" ? 1 : 0
    }

    /// The table of SQL, in one snapshot with the events.
    private func compareSums(_ history: RollupHistory) throws {
        let rows = try history.sql(
            """
            SELECT name, sum(count) = (SELECT count(*) FROM events
                WHERE name = 'wide' OR type = 'a' OR name = 'tight' AND type = 'b')
            FROM rollups GROUP BY name
            """)
        for row in rows { #expect(row[1] == .integer(1), "\(row)") }
    }

    @Test
    func `a bucket with many events is counted anew in steps, also when it changes meanwhile`()
        throws
    {
        let rollup = Rollup(
            name: "days", types: [], interval: .day, groups: try Rollup.groups(["k"]),
            metrics: try Rollup.metrics(["count", "min:v", "sum:v"]))
        // A midnight.
        let start: Int64 = 1_711_670_400_000
        let history = try RollupHistory([rollup], start: start)
        try history.write(ascending: 0..<70_000)
        try history.age(to: start + 86_400_000 + 3_600_000)
        let query = [
            ("metric", "count,min:v,sum:v"), ("group_by", "k"), ("from", "2024-03-29"),
            ("to", "2024-03-30"),
        ]
        func leftOut() throws -> Int? {
            let plan = try history.answer(query + [("explain", "1")]).body.text
            return try JSONTree.parse(plan)["rollup"]?["left_out"]?.integer
        }
        #expect(try leftOut() == 1)
        let seen =
            "SELECT sum(stale), count(metrics ->> 'min:v'), sum(metrics ->> 'sum:v') FROM rollups"
        let total = JSONTree.integer((3601...70_000).reduce(0, +))
        #expect(try history.sql(seen) == [[.integer(5), .integer(0), total]])
        // Sums are right all the time.
        let sums = [("metric", "count,sum:v"), ("from", "2024-03-29"), ("to", "2024-03-30")]
        #expect(try compare(history, sums) == 1)
        try history.maintain()
        #expect(try leftOut() == 1)
        try history.write(ascending: 70_000..<70_001)
        var steps = 0
        while try leftOut() == 1, steps < 200 {
            try history.maintain()
            steps += 1
        }
        #expect((3..<200).contains(steps), "\(steps)")
        #expect(try compare(history, query) == 1)
        let least = try JSONTree.parse(history.answer(query).body.text)["rows"]?[0]?[2]
        #expect(least == .integer(3601))
        #expect(
            try history.sql(
                "SELECT sum(stale), min(metrics ->> 'min:v'), sum(count) FROM rollups")
                == [[.integer(0), .integer(3601), .integer(70_001 - 3600)]])
    }

    // MARK: Sketches

    @Test func `all pages of an answer are exact, or all are sketched, as the first one`() throws {
        let rollup = Rollup(
            name: "hours", types: [], interval: .hour, groups: try Rollup.groups(["k"]),
            metrics: try Rollup.metrics(["count", "p95:v"]))
        // A midnight.
        let start: Int64 = 1_711_670_400_000
        for (to, isSketched) in [("2024-03-29T00:59:00Z", false), ("2024-03-29T02:30:00Z", true)] {
            let history = try RollupHistory([rollup], start: start)
            try history.write(ascending: 0..<10_000)
            try history.settle()
            let query = [
                ("metric", "p95:v"), ("group_by", "k"), ("from", "2024-03-29"), ("to", to),
                ("limit", "2"),
            ]
            var answer = try history.answer(query)
            var pages = [answer]
            let whole = try history.answer(query.dropLast() + [("limit", "9")])
            while let next = answer.next {
                // Beyond the range, so that only the cursor keeps the pages together.
                let count = 10_000 + pages.count
                try history.write(ascending: count..<count + 1)
                answer = try history.answer(query + [("cursor", next)])
                pages.append(answer)
            }
            #expect(pages.count == 3)
            #expect(pages.allSatisfy { $0.columns[1].isApproximate == isSketched })
            let rows = try pages.flatMap {
                try JSONTree.parse($0.body.text)["rows"]?.elements ?? []
            }
            #expect(rows == (try JSONTree.parse(whole.body.text))["rows"]?.elements)
        }
    }

    @Test func `sketches are within their stated error, and the same from rollup and events`()
        throws
    {
        let seed = UInt64.random(in: .min ... .max)
        print("RollupPropertyTests sketches, seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let history = try RollupHistory(try rollups(), start: Self.starts[0])
        for _ in 0..<20 { try history.write(200, &random) }
        for query in [
            [("metric", "uniq:u,p50:v,p95:v,p99:v"), ("from", "2024-03-29T10:15:00Z")],
            [("metric", "p90:v,uniq:u"), ("from", "2024-03-29"), ("group_by", "c")],
            [
                ("metric", "p50:v"), ("from", "2024-03-29"), ("interval", "1d"),
                ("tz", "Europe/Berlin"),
            ],
        ] {
            let answer = try JSONTree.parse(try history.answer(query).body.text)
            let exact = try JSONTree.parse(
                try history.answer(query + [("rollup", "off")]).body.text)
            let columns = answer["columns"]?.elements ?? []
            let rows = zip(answer["rows"]?.elements ?? [], exact["rows"]?.elements ?? [])
            #expect(answer["row_count"] == exact["row_count"])
            for (near, true_) in rows {
                for (index, column) in columns.enumerated() {
                    guard column["approximate"]?.bool == true else {
                        #expect(near[index] == true_[index])
                        continue
                    }
                    let (a, b) = (near[index]?.number, true_[index]?.number)
                    guard let a, let b else {
                        #expect(near[index] == true_[index])
                        continue
                    }
                    // 1 % of a percentile; five standard errors of a count.
                    let isCount = column["name"]?.string?.hasPrefix("uniq") == true
                    let error =
                        isCount ? 5 * DistinctSketch.standardError : RankSketch.relativeError
                    #expect(abs(a - b) <= abs(b) * error + 1e-9, "\(column) \(a) \(b)")
                }
            }
            #expect(columns.contains { $0["approximate"]?.bool == true })
        }
    }
}
