import Testing

@testable import Service

@Suite struct DurationTextTests {
    @Test(
        arguments: [
            ("0s", 0), ("1ms", 1), ("100ms", 100), ("30s", 30_000), ("5m", 300_000),
            ("12h", 43_200_000),
            ("7d", 604_800_000), ("90d", 7_776_000_000),
        ] as [(String, Int64)])
    func `reads a duration`(text: String, milliseconds: Int64) {
        #expect(DurationText.parse(text) == .milliseconds(milliseconds))
    }

    @Test(arguments: [
        "", "30", "s", "30S", "30 s", "-1s", "+1s", "1.5s", "1h30m", "1w", "1us", "30sec",
        "9223372036854775808s", "9223372036854775807d", "999999999d",
    ])
    func `refuses what is no duration, and a number without a unit`(text: String) {
        #expect(DurationText.parse(text) == nil)
    }

    @Test(arguments: [0, 1, 999, 1000, 1500, 60_000, 90_000, 3_600_000, 86_400_000, 7_776_000_000])
    func `writes what it reads back`(milliseconds: Int64) {
        let duration = Duration.milliseconds(milliseconds)
        #expect(DurationText.parse(DurationText.format(duration)) == duration)
    }
}
