import Primitives
import Testing

@testable import Redis

struct RedisPipelineTests {
    @Test func `writes commands as RESP`() {
        var pipeline = RedisPipeline(capacity: 16)
        pipeline.begin("XADD", argumentCount: 4)
        pipeline.add("key é")
        pipeline.add(literal: "*")
        [UInt8]([0, 13, 10, 255]).withUnsafeBytes { pipeline.add($0) }
        pipeline.add(decimal: -12)
        pipeline.command("PING")
        var expected = Array("*5\r\n$4\r\nXADD\r\n$6\r\nkey é\r\n$1\r\n*\r\n$4\r\n".utf8)
        expected += [0, 13, 10, 255] + Array("\r\n$3\r\n-12\r\n*1\r\n$4\r\nPING\r\n".utf8)
        let (written, commandCount) = (Array(pipeline.bytes.span), pipeline.commandCount)
        #expect(written == expected)
        #expect(commandCount == 2)
    }

    @Test(arguments: [0, 9, 10, 99, 100, 12_345, .max, -1, -10, .min])
    func `writes numbers as decimal digits`(number: Int) {
        var pipeline = RedisPipeline(capacity: 16)
        pipeline.begin("ECHO", argumentCount: 1)
        pipeline.add(decimal: number)
        let text = pipeline.bytes.text
        let digits = String(number)
        #expect(text == "*2\r\n$4\r\nECHO\r\n$\(digits.utf8.count)\r\n\(digits)\r\n")
        var buffer = ByteBuffer(capacity: 16)
        buffer.append(decimal: number)
        let plain = buffer.text
        #expect(plain == digits)
    }

    @Test func `is empty after removeAll`() {
        var pipeline = RedisPipeline()
        pipeline.command("SET", "a", String(repeating: "x", count: 100_000))
        pipeline.removeAll(keeping: 1024)
        let isEmpty = pipeline.isEmpty
        let byteCount = pipeline.byteCount
        #expect(isEmpty && byteCount == 0)
        pipeline.command("PING")
        let text = pipeline.bytes.text
        #expect(text == "*1\r\n$4\r\nPING\r\n")
    }
}
