import Testing

@testable import Service

@Suite struct ByteSizeTests {
    @Test(arguments: [
        ("0", 0), ("1", 1), ("4096", 4096), ("1KiB", 1024), ("256KiB", 262_144),
        ("10MiB", 10_485_760), ("1GiB", 1_073_741_824), ("2gib", 2_147_483_648), ("007KiB", 7168),
    ])
    func `reads a size`(text: String, bytes: Int) {
        #expect(ByteSize.parse(text) == bytes)
    }

    @Test(arguments: [
        "", "KiB", "1KB", "1GB", "1K", "1.5GiB", "-1", "+1", "1 KiB", " 1", "1KiB ", "1e3", "0x10",
        "٣KiB", "9223372036854775808", "9999999999GiB", "1TiB",
    ])
    func `refuses what is no size`(text: String) {
        #expect(ByteSize.parse(text) == nil)
    }

    @Test(arguments: [0, 1, 1023, 1024, 1536, 32 << 20, 1 << 30, 3 << 40, Int.max])
    func `writes what it reads back`(bytes: Int) {
        #expect(ByteSize.parse(ByteSize.format(bytes)) == bytes)
    }

    @Test func `writes the largest unit that fits without a rest`() {
        #expect(ByteSize.format(1536) == "1536")
        #expect(ByteSize.format(64 << 10) == "64KiB")
        #expect(ByteSize.format(1 << 30) == "1GiB")
    }
}
