import Primitives
import Testing

struct ByteBufferTests {
    @Test func `escapes what JSON strings may not hold`() throws {
        var text = ""
        for value in 0..<0x20 { text.unicodeScalars.append(Unicode.Scalar(UInt8(value))) }
        text += "\"\\/é😀\u{7F}\u{2028}"
        var buffer = ByteBuffer()
        buffer.append(jsonString: text)
        #expect(buffer.text.hasPrefix(#""\u0000\u0001"#))
        #expect(buffer.text.hasSuffix("\\u001f\\\"\\\\/é😀\u{7F}\u{2028}\""))
        #expect(buffer.text.contains(#"\b\t\n\u000b\f\r"#))
        #expect(try JSONValue.parse(buffer.span) == .string(text))
    }

    @Test(arguments: [
        (0.0, "0.0"), (1, "1.0"), (-2.5, "-2.5"), (1e15, "1000000000000000.0"), (1e16, "1e+16"),
        (.infinity, "null"),
        (.nan, "null"), (0.1, "0.1"), (123_456_789_012_345, "123456789012345.0"),
    ])
    func `writes doubles that read back`(value: Double, text: String) throws {
        var buffer = ByteBuffer()
        buffer.append(json: value)
        #expect(buffer.text == text)
        if value.isFinite { #expect(try JSONValue.parse(buffer.span) == .double(value)) }
    }

    @Test(arguments: [Int64.min, -1, 0, 7, 10, .max])
    func `writes integers in decimal`(value: Int64) {
        var buffer = ByteBuffer()
        buffer.append(decimal: value)
        #expect(buffer.text == "\(value)")
    }

    @Test func `keeps its bytes while it grows and shrinks`() {
        var buffer = ByteBuffer(capacity: 16)
        for index in 0..<10_000 { buffer.append(UInt8(index & 0xFF)) }
        #expect(buffer.count == 10_000)
        buffer.truncate(to: 300)
        buffer.shrink(above: 1000)
        #expect(buffer.capacity == 1000)
        #expect(buffer.span.enumerated().allSatisfy { $1 == UInt8($0 & 0xFF) })
    }

    @Test func `has readable padding behind every count`() {
        for count in 0..<300 {
            var buffer = ByteBuffer(capacity: 16)
            for _ in 0..<count { buffer.append(1 as UInt8) }
            #expect(buffer.capacity >= buffer.count)
            for offset in 0..<ByteBuffer.padding {
                buffer.base.storeBytes(of: 0, toByteOffset: buffer.count + offset, as: UInt8.self)
            }
        }
    }

    @Test func `hands its bytes over`() {
        #expect(ByteBuffer("frozen").freeze().text == "frozen")
        #expect(Bytes("text").count == 4)
        let bytes = Bytes([1, 2, 3] as [UInt8])
        withExtendedLifetime(bytes) { #expect(bytes.span.elementsEqual([1, 2, 3])) }
    }
}
