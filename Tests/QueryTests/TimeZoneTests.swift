import Primitives
import Testing
import TestSupport

@testable import Query

@Suite(.blocking) struct TimeZoneTests {
    func zone(_ name: String) throws -> TimeZoneRules {
        try #require(TimeZoneFile.rules(named: name))
    }

    @Test(arguments: [
        ("UTC", "2024-07-01T00:00:00Z", 0),
        ("Europe/Berlin", "2024-03-31T00:59:59Z", 3600),
        ("Europe/Berlin", "2024-03-31T01:00:00Z", 7200),
        ("Europe/Berlin", "2024-10-27T00:59:59Z", 7200),
        ("Europe/Berlin", "2024-10-27T01:00:00Z", 3600),
        ("America/New_York", "2024-03-10T06:59:59Z", -18000),
        ("America/New_York", "2024-03-10T07:00:00Z", -14400),
        ("America/New_York", "2024-11-03T06:00:00Z", -18000),
        ("Australia/Lord_Howe", "2024-04-06T14:59:59Z", 39600),
        ("Australia/Lord_Howe", "2024-04-06T15:00:00Z", 37800),
        ("Australia/Lord_Howe", "2024-10-05T15:30:00Z", 39600),
        ("Asia/Kathmandu", "2024-01-01T00:00:00Z", 20700),
        // Behind the file's table, by the rule of its footer.
        ("Europe/Berlin", "2150-07-01T00:00:00Z", 7200),
        ("Europe/Berlin", "2150-12-31T23:59:59Z", 3600),
        ("Australia/Lord_Howe", "2151-01-01T00:00:00Z", 39600),
        ("America/New_York", "2100-03-14T07:00:00Z", -14400),
        ("America/New_York", "2100-03-14T06:59:59Z", -18000),
        // Before the table: local mean time.
        ("Europe/Berlin", "1850-01-01T00:00:00Z", 3208),
    ])
    func `knows the offset at a moment`(name: String, moment: String, offset: Int64) throws {
        let second = try at(moment) / 1000
        let span = try zone(name).span(at: second)
        #expect(span.offset == offset)
        #expect(span.start <= second && second < span.end)
    }

    @Test(arguments: [
        ("CET-1CEST,M3.5.0,M10.5.0/3", 3600, 7200),
        ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 37800, 39600),
        ("EST5EDT,M3.2.0,M11.1.0", -18000, -14400),
        ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", -7200, -3600),
        ("AAA0BBB,J60/2,J300/2", 0, 3600), ("AAA0BBB,59/2,299/2", 0, 3600),
    ])
    func `reads a rule`(text: String, standard: Int64, summer: Int64) throws {
        let rule = try #require(PosixTimeZone(text))
        #expect(rule.standardOffset == standard)
        #expect(rule.summer?.offset == summer)
    }

    @Test(arguments: [
        "", "C", "CET", "CET-25", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0",
        "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,J0,J1",
        "CET-1CEST,M3.5.0,M10.5.0,", "<CET-1", "CET-1:60",
    ])
    func `reads nothing else as a rule`(text: String) {
        #expect(PosixTimeZone(text) == nil)
    }

    @Test func `refuses a cut file at every length`() throws {
        // A version 2 file without transitions, at UTC+1 for ever.
        let header: [UInt8] = Array("TZif2".utf8) + [UInt8](repeating: 0, count: 15)
        let counts: [UInt8] = [
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4,
        ]
        let block: [UInt8] = [0, 0, 0x0E, 0x10, 0, 0] + Array("CET\0".utf8)
        let file = (header + counts + block) + (header + counts + block) + Array("\nCET-1\n".utf8)
        #expect(TimeZoneRules(name: "x", file: file)?.span(at: 0).offset == 3600)
        for length in 0..<file.count {
            #expect(TimeZoneRules(name: "x", file: Array(file[..<length])) == nil)
        }
    }

    /// The days' starts and lengths in minutes between two moments.
    func days(_ name: String, _ from: String, _ to: String) throws -> [(String, Int64)] {
        let (from, to) = (try at(from), try at(to))
        let buckets = QueryBuckets(interval: .day, zone: try zone(name))
        let starts = try buckets.starts(from: from, to: to)
        let ends = starts.dropFirst() + [to]
        return zip(starts, ends).map { (Timestamp.format($0), ($1 - $0) / 60_000) }
    }

    @Test func `gives the day that clocks go forward 23 hours and back 25`() throws {
        let spring = try days("Europe/Berlin", "2024-03-29T23:00:00Z", "2024-04-01T22:00:00Z")
        #expect(
            spring.map(\.0) == [
                "2024-03-29T23:00:00.000Z", "2024-03-30T23:00:00.000Z", "2024-03-31T22:00:00.000Z",
            ])
        #expect(spring.map(\.1) == [1440, 1380, 1440])
        let autumn = try days("America/New_York", "2024-11-02T04:00:00Z", "2024-11-05T05:00:00Z")
        #expect(autumn.map(\.1) == [1440, 1500, 1440])
        let half = try days("Australia/Lord_Howe", "2024-04-05T13:00:00Z", "2024-04-08T13:30:00Z")
        #expect(half.map(\.1) == [1440, 1470, 1440])
    }

    @Test func `starts a day whose midnight is skipped when the clocks jump`() throws {
        let days = try days("America/Sao_Paulo", "2018-11-03T03:00:00Z", "2018-11-06T02:00:00Z")
        #expect(days.map(\.0).dropFirst().first == "2018-11-04T03:00:00.000Z")
        #expect(days.map(\.1) == [1440, 1380, 1440])
    }

    @Test func `has no bucket for a day that a zone left out`() throws {
        let days = try days("Pacific/Apia", "2011-12-29T10:00:00Z", "2012-01-01T10:00:00Z")
        #expect(
            days.map(\.0) == [
                "2011-12-29T10:00:00.000Z", "2011-12-30T10:00:00.000Z", "2011-12-31T10:00:00.000Z",
            ])
    }

    @Test(arguments: ["Europe/Berlin", "Pacific/Apia", "Africa/Casablanca", "Asia/Kathmandu"])
    func `finds the days of a range as it finds each by itself`(name: String) throws {
        let zone = try zone(name)
        let (from, to) = (try at("1880-01-01T00:00:00Z"), try at("2140-01-01T00:00:00Z"))
        let buckets = QueryBuckets(interval: .day, zone: zone)
        var midnight = (from / 86_400_000 - 2) * 86400
        var starts: [Int64] = []
        while starts.last.map({ $0 < to }) ?? true {
            let start = zone.firstMoment(showing: midnight) * 1000
            if starts.last != start { starts.append(start) }
            midnight += 86400
        }
        let first = starts.lastIndex { $0 <= from } ?? 0
        #expect(try buckets.starts(from: from, to: to) == Array(starts[first...].dropLast()))
    }

    @Test(arguments: [
        "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo",
        "America/St_Johns", "Pacific/Apia", "Africa/Casablanca", "America/Scoresbysund",
    ])
    func `puts every moment of a century in the last bucket that starts before it`(name: String)
        throws
    {
        let (from, to) = (try at("1960-01-01T05:06:07.089Z"), try at("2060-01-01T00:00:00Z"))
        let zone = try zone(name)
        let buckets = QueryBuckets(interval: .day, zone: zone)
        let starts = try buckets.starts(from: from, to: to)
        #expect(starts[0] <= from)
        #expect(starts.dropFirst().allSatisfy { $0 > from && $0 < to })
        for (start, next) in zip(starts, starts.dropFirst()) {
            #expect(next - start >= 79_200_000 && next - start <= 93_600_000 + 3_600_000)
            for moment in [start, next - 1] {
                #expect(buckets.bucket(of: moment) == start..<next)
            }
        }
    }

    @Test func `begins weeks on Mondays and months on their first day`() throws {
        let zone = try zone("Europe/Berlin")
        let (from, to) = (try at("2024-02-15T12:00:00Z"), try at("2024-04-10T00:00:00Z"))
        let months = QueryBuckets(interval: .month, zone: zone)
        #expect(
            try months.starts(from: from, to: to).map(Timestamp.format) == [
                "2024-01-31T23:00:00.000Z", "2024-02-29T23:00:00.000Z", "2024-03-31T22:00:00.000Z",
            ])
        let weeks = QueryBuckets(interval: .week, zone: zone)
        let starts = try weeks.starts(from: from, to: to)
        #expect(Timestamp.format(starts[0]) == "2024-02-11T23:00:00.000Z")
        #expect(starts.count == 9)
        for (start, next) in zip(starts, starts.dropFirst()) {
            #expect(weeks.bucket(of: start) == start..<next)
            #expect(weeks.bucket(of: next - 1) == start..<next)
        }
        // Before 1970, in a leap year's February.
        let old = try at("1968-02-29T12:00:00Z")
        let bucket = QueryBuckets(interval: .month, zone: .utc).bucket(of: old)
        #expect(Timestamp.format(bucket.lowerBound) == "1968-02-01T00:00:00.000Z")
        #expect(Timestamp.format(bucket.upperBound) == "1968-03-01T00:00:00.000Z")
        let week = QueryBuckets(interval: .week, zone: .utc).bucket(of: old)
        #expect(Timestamp.format(week.lowerBound) == "1968-02-26T00:00:00.000Z")
    }
}
