import Primitives
import TestSupport
import Testing

@testable import Telemetry

@Suite struct LoggerTests {
    private let time: Int64 = 1_431_857_103_007

    @Test func `a record is one JSON object on one line, whatever is in it`() throws {
        let nasty = "a \"b\"\\ \n\r\t\u{0}\u{7F} gr\u{FC}n \u{1F600}"
        let line = LogLine.json(
            time, .warning, #"a "static" message"#
        ) {
            $0.add("text", nasty)
            $0.add("bytes", Bytes(nasty))
            $0.add("count", 7)
            $0.add("most", UInt64.max)
            $0.add("least", Int64.min)
            $0.add("share", 0.5)
            $0.add("flag", true)
            $0.add("took_ms", Duration.microseconds(1500))
            $0.add("absent", Optional<String>.none)
            $0.add("error", TestError("broken"))
        }.text
        #expect(line.hasSuffix("}\n") && line.dropLast().allSatisfy { !$0.isNewline })
        let value = try JSONValue.parse(line)
        #expect(text(value["time"]) == "2015-05-17T10:05:03.007Z")
        #expect(text(value["level"]) == "warning")
        #expect(text(value["message"]) == #"a "static" message"#)
        #expect(text(value["text"]) == nasty)
        #expect(text(value["bytes"]) == nasty)
        #expect(
            line.contains(
                #","count":7,"most":18446744073709551615,"least":-9223372036854775808,"share":0.5,"#
                    + #""flag":true,"took_ms":1.5,"error":""#))
    }

    @Test func `text for a terminal holds no control character`() {
        let line = LogLine.text(
            time, .error, "red \u{1B}[31m"
        ) {
            $0.add("name", "a\nb\u{7}")
            $0.add("n", 3)
        }.text
        #expect(line == "2015-05-17T10:05:03.007Z ERROR    red ?[31m name=a?b? n=3\n")
    }

    @Test func `only what reaches the level is written, and the level can change`() {
        let lines = Locked<[String]>([])
        let logger = Logger(level: .warning, isHumanReadable: true) { bytes in
            lines.withLock { $0.append(String(decoding: bytes, as: UTF8.self)) }
        }
        logger.info("one")
        logger.warning("two")
        logger.setLevel(.debug)
        #expect(logger.isEnabled(.debug) && logger.level == .debug)
        logger.debug("three")
        logger.close()
        logger.error("too late")
        let written = lines.withLock { $0 }
        #expect(written.count == 2)
        #expect(written.first?.hasSuffix("two\n") == true)
        #expect(written.last?.hasSuffix("three\n") == true)
        #expect(logger.dropped == 1)
    }

    @Test func `below the level no value is computed`() {
        let count = Locked(0)
        let logger = Logger(level: .info) { _ in }
        logger.debug("not there") {
            $0.add(
                "n",
                count.withLock {
                    $0 += 1; return $0
                })
        }
        logger.info("there") {
            $0.add(
                "n",
                count.withLock {
                    $0 += 1; return $0
                })
        }
        logger.close()
        #expect(count.withLock { $0 } == 1)
    }

    @Test func `a writer that stands still holds nobody up, and what it missed is counted`() throws
    {
        let gate = Monitor(false)
        let count = Locked(0)
        let logger = Logger(level: .info) { _ in
            _ = gate.wait(until: .never, for: { $0 }, then: { _ in })
            count.withLock { $0 += 1 }
        }
        let text = String(repeating: "x", count: 64 << 10)
        let start = MonotonicTime.now()
        // 64 KiB each: some 64 fit into the queue of 4 MiB.
        for _ in 0..<500 { logger.info("long") { $0.add("text", text) } }
        #expect(MonotonicTime.now().since(start) < .seconds(10) * slowness)
        #expect(logger.queuedBytes <= 4 << 20)
        let dropped = Int(logger.dropped)
        #expect(dropped > 300)
        gate.change { $0 = true }
        logger.close()
        #expect(count.withLock { $0 } == 500 - dropped)
    }

    private func text(_ value: JSONValue?) -> String? {
        if case .string(let text)? = value { text } else { nil }
    }
}
