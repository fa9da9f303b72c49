import Primitives
import TestSupport
import Testing

struct TimestampTests {
    /// RFC 3339, section 5.8, and the ends of what it can say.
    @Test(arguments: [
        ("1985-04-12T23:20:50.52Z", 482_196_050_520),
        ("1996-12-19T16:39:57-08:00", 851_042_397_000),
        ("1990-12-31T23:59:60Z", 662_687_999_999), ("1990-12-31T15:59:60-08:00", 662_687_999_999),
        ("1937-01-01T12:00:27.87+00:20", -1_041_337_172_130),
        ("2000-02-29t12:00:00z", 951_825_600_000), ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999Z", -1), ("1970-01-01T00:00:00.123456789Z", 123),
        ("0000-01-01T00:00:00Z", Timestamp.range.lowerBound),
        ("9999-12-31T23:59:59.999Z", Timestamp.range.upperBound),
    ])
    func `reads the times of RFC 3339`(text: String, milliseconds: Int64) {
        #expect(Timestamp.parse(text) == milliseconds)
    }

    @Test(arguments: [
        "", "2015", "2015-05-17", "2015-05-17T10:05:03", "2015-05-17 10:05:03Z",
        "2015-13-17T10:05:03Z", "2015-00-17T10:05:03Z", "2015-02-29T10:05:03Z",
        "2015-05-32T10:05:03Z", "2015-05-00T10:05:03Z", "2015-05-17T24:05:03Z",
        "2015-05-17T10:60:03Z", "2015-05-17T10:05:61Z", "2015-05-17T10:05:03.Z",
        "2015-05-17T10:05:03+0100", "2015-05-17T10:05:03+24:00", "2015-05-17T10:05:03Zx",
        "2015-05-17T10:05:03+01:60", "0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
        "+015-05-17T10:05:03Z", "2015-05-17T10:05:03.1٣Z", "1432807503",
    ])
    func `refuses what is no time`(text: String) {
        #expect(Timestamp.parse(text) == nil)
    }

    @Test func `writes what it reads back, over all years`() {
        var random = SeededGenerator.printingSeed("timestamps")
        for _ in 0..<20_000 {
            let time = Int64.random(in: Timestamp.range, using: &random)
            let text = Timestamp.format(time)
            #expect(text.utf8.count == 24)
            #expect(Timestamp.parse(text) == time)
        }
        #expect(Timestamp.format(1_431_857_103_007) == "2015-05-17T10:05:03.007Z")
        #expect(Timestamp.format(-1) == "1969-12-31T23:59:59.999Z")
    }

    @Test func `clamps times that cannot be said`() {
        #expect(Timestamp.format(.min) == "0000-01-01T00:00:00.000Z")
        #expect(Timestamp.format(.max) == "9999-12-31T23:59:59.999Z")
    }

    @Test func `counts days both ways`() {
        for days in stride(from: -719_528, through: 2_932_896, by: 397) {
            let date = Timestamp.civil(daysSinceEpoch: days)
            #expect(
                Timestamp.daysSinceEpoch(year: date.year, month: date.month, day: date.day) == days)
        }
    }
}

struct UUIDv7Tests {
    private static func text(_ uuid: Key128) -> String {
        var buffer = ByteBuffer()
        buffer.append(uuid: uuid)
        return buffer.text
    }

    @Test func `writes the example of RFC 9562, A.6`() {
        let uuid = Key128(high: 0x017F_22E2_79B0_7CC3, low: 0x98C4_DC0C_0C07_398F)
        #expect(UUIDv7Tests.text(uuid) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
    }

    @Test func `carries its time, version and variant`() {
        var generator = UUIDv7Generator()
        let uuid = generator.next(milliseconds: 1_645_557_742_000)
        #expect(uuid.high >> 16 == 0x017F_22E2_79B0)
        #expect(uuid.high >> 12 & 15 == 7)
        #expect(uuid.low >> 62 == 2)
    }

    @Test func `gives ids in order, also within a millisecond and when the clock goes back`() {
        var generator = UUIDv7Generator()
        var last = generator.next(milliseconds: 1000)
        for index in 0..<20_000 {
            let next = generator.next(milliseconds: index % 3 == 0 ? 1000 : 999)
            #expect(next.high > last.high)
            #expect(next.high >> 12 & 15 == 7)
            last = next
        }
    }
}
