import Primitives
import TestSupport
import Testing

private func inflate(
    _ bytes: [UInt8], _ coding: Inflate.Coding = .gzip,
    limits: Inflate.Limits = Inflate.Limits(outputBytes: 1 << 20)
) throws(InflateError) -> String {
    var input = ByteBuffer(capacity: bytes.count)
    input.append(contentsOf: bytes)
    var output = ByteBuffer()
    try Inflate.inflate(input.span, coding, limits: limits, into: &output)
    return output.text
}

private func gzip(_ text: String, level: Int = 6) -> [UInt8] {
    let buffer = ByteBuffer(text)
    let packed = gzipCompress(buffer.span, level: level)
    return withExtendedLifetime(packed) { Array(packed.span) }
}

private func bytes(hex: String) -> [UInt8] {
    let digits = hex.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

struct GzipTests {
    private static let text = #"{"type":"signup","plan":"pro"}"#

    /// Made by Python's zlib and gzip modules.
    private static let samples: [(Inflate.Coding, String)] = [
        (
            .deflate,
            "789cab562aa92c4855b2522ace4ccf2b2d50d2512ac849cc03f20b8af2956a019d5109fd"
        ),
        (.deflate, "ab562aa92c4855b2522ace4ccf2b2d50d2512ac849cc03f20b8af2956a01"),
        (
            .gzip,
            "1f8b0800000000000203ab562aa92c4855b2522ace4ccf2b2d50d2512ac849cc03f20b8af2956a01"
                + "4c50bd4f1e000000"
        ),
    ]

    @Test(arguments: 0..<3) func `inflates what others deflated`(index: Int) throws {
        let (coding, hex) = GzipTests.samples[index]
        #expect(try inflate(bytes(hex: hex), coding) == GzipTests.text)
    }

    @Test(arguments: 0..<3) func `calls every cut stream truncated`(index: Int) {
        let (coding, hex) = GzipTests.samples[index]
        let whole = bytes(hex: hex)
        for count in 0..<whole.count {
            let cut = Array(whole[..<count])
            #expect(throws: InflateError.truncated) { try inflate(cut, coding) }
        }
    }

    @Test func `compresses in pieces until its deadline`() throws {
        var random = SeededGenerator.printingSeed("gzip in pieces")
        // On both sides of one piece and of several.
        for count in [0, 1, 256 << 10 - 1, 256 << 10, 256 << 10 + 1, 512 << 10, 900_001] {
            var buffer = ByteBuffer(capacity: count)
            for _ in 0..<count { buffer.append(UInt8.random(in: 0...15, using: &random)) }
            let packed = gzipCompress(buffer.span)
            let late = gzipCompress(buffer.span, until: .after(.zero))
            let early = gzipCompress(buffer.span, until: .after(.seconds(3600)))
            let plain = buffer.text
            let text = try withExtendedLifetime(packed) { try inflate(Array(packed.span)) }
            #expect(text == plain, "\(count)")
            #expect((late == nil) == (count > 256 << 10), "\(count)")
            #expect(early != nil)
        }
    }

    @Test(arguments: [1, 6, 9]) func `inflates what it compressed`(level: Int) throws {
        for text in ["", "a", GzipTests.text, String((0..<50_000).map { "\($0)," }.joined())] {
            #expect(try inflate(gzip(text, level: level)) == text)
        }
    }

    @Test func `compresses bytes that do not compress`() throws {
        var random = SeededGenerator(seed: 7)
        var noise = ByteBuffer()
        for _ in 0..<20_000 { noise.append(littleEndian: random.next()) }
        var output = ByteBuffer()
        let packed = gzipCompress(noise.span, level: 1)
        let limits = Inflate.Limits(outputBytes: 1 << 20)
        try withExtendedLifetime(packed) {
            try Inflate.inflate(packed.span, .gzip, limits: limits, into: &output)
        }
        #expect(output.span.elementsEqual(noise.span))
    }

    @Test func `joins the members of a file with several`() throws {
        let members = gzip("one,") + gzip("") + gzip("two")
        #expect(try inflate(members) == "one,two")
        #expect(throws: InflateError.truncated) { try inflate(Array(members.dropLast())) }
    }

    @Test func `refuses what follows the end`() {
        #expect(throws: InflateError.corrupt) { try inflate(gzip("one") + [0, 0, 0]) }
        let zlib = bytes(hex: GzipTests.samples[0].1)
        #expect(throws: InflateError.corrupt) { try inflate(zlib + [0], .deflate) }
    }

    @Test func `refuses what is something else or damaged`() {
        #expect(throws: InflateError.corrupt) { try inflate(Array("plain text".utf8)) }
        #expect(throws: InflateError.corrupt) { try inflate([0x07, 0, 0], .deflate) }
        var damaged = gzip(String(repeating: "some text ", count: 20))
        damaged[damaged.count - 6] ^= 1
        #expect(throws: InflateError.corrupt) { try inflate(damaged) }
    }

    @Test func `stops a bomb early`() {
        let bomb = gzip(String(repeating: "0", count: 64 << 20))
        var output = ByteBuffer(capacity: 16)
        var input = ByteBuffer()
        input.append(contentsOf: bomb)
        let limits = Inflate.Limits(outputBytes: 128 << 20)
        #expect(throws: InflateError.ratio) {
            try Inflate.inflate(input.span, .gzip, limits: limits, into: &output)
        }
        #expect(output.count == 0)
        #expect(output.capacity <= 4 * 100 * bomb.count)
    }

    @Test func `asks for the ratio only beyond a mebibyte`() throws {
        let limits = Inflate.Limits(outputBytes: 64 << 20, ratio: 2)
        let small = gzip(String(repeating: "0", count: 1 << 20))
        #expect(try inflate(small, limits: limits).utf8.count == 1 << 20)
        let larger = gzip(String(repeating: "0", count: 1 << 20 + 1))
        #expect(throws: InflateError.ratio) { try inflate(larger, limits: limits) }
    }

    @Test func `stops at the byte limit and not before`() throws {
        let packed = gzip("12345678901234567890")
        #expect(try inflate(packed, limits: Inflate.Limits(outputBytes: 20)).count == 20)
        #expect(throws: InflateError.tooLarge) {
            try inflate(packed, limits: Inflate.Limits(outputBytes: 19))
        }
        #expect(throws: InflateError.tooLarge) {
            try inflate(packed + packed, limits: Inflate.Limits(outputBytes: 39))
        }
    }

    @Test func `appends to what is there and leaves it after an error`() throws {
        var output = ByteBuffer("before ")
        let packed = gzip("after")
        let limits = Inflate.Limits(outputBytes: 100)
        try packed.withUnsafeBytes { try Inflate.inflate($0, .gzip, limits: limits, into: &output) }
        #expect(output.text == "before after")
        let cut = Array(packed.dropLast(9))
        _ = cut.withUnsafeBytes { input in
            #expect(throws: InflateError.truncated) {
                try Inflate.inflate(input, .gzip, limits: limits, into: &output)
            }
        }
        #expect(output.text == "before after")
    }

    @Test func `survives random bytes and random damage`() {
        var random = SeededGenerator.printingSeed("inflate damage")
        let whole = gzip(String((0..<300).map { "\($0 * 7919)" }.joined()))
        for round in 0..<2000 {
            var input = whole
            for _ in 0...(round % 5) {
                input[Int.random(in: 0..<input.count, using: &random)] = UInt8.random(
                    in: 0 ... .max, using: &random)
            }
            for coding in [Inflate.Coding.gzip, .deflate] {
                let text = try? inflate(Array(input[(round % 3 * 10)...]), coding)
                #expect((text?.utf8.count ?? 0) <= 3 * 100 * whole.count)
            }
        }
    }
}
