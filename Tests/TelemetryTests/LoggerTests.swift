import Masking
import Primitives
import Telemetry
import TestSupport
import Testing

@Suite struct LoggerTests {
    @Test func `a record is one JSON object on one line, whatever is in it`() throws {
        let nasty = "a \"b\"\\ \n\r\t\u{0}\u{7F} gr\u{FC}n \u{1F600}"
        let log = CollectedLog()
        log.logger.warning(#"a "static" message"#) {
            $0.add("text", nasty)
            $0.add("bytes", Bytes(nasty))
            $0.add("no_utf8", Bytes([0x61, 0xFF, 0x62]))
            $0.add("constant", "of the program" as StaticString)
            $0.add("count", 7)
            $0.add("most", UInt64.max)
            $0.add("least", Int64.min)
            $0.add("share", 0.5)
            $0.add("flag", true)
            $0.add("took_ms", Duration.microseconds(1500))
            $0.add("absent", String?.none)
            $0.add("error", TestError("broken"))
        }
        let line = try #require(log.close().first)
        #expect(line.hasSuffix("}\n") && line.dropLast().allSatisfy { !$0.isNewline })
        let value = try JSONValue.parse(line)
        #expect(value["time"]?.text.flatMap { Timestamp.parse($0) } ?? 0 > 1_700_000_000_000)
        #expect(value["level"]?.text == "warning")
        #expect(value["message"]?.text == #"a "static" message"#)
        #expect(value["text"]?.text == nasty && value["bytes"]?.text == nasty)
        #expect(value["no_utf8"]?.text == "a\u{FFFD}b")
        #expect(
            line.contains(
                #","constant":"of the program","count":7,"most":18446744073709551615,"#
                    + #""least":-9223372036854775808,"share":0.5,"flag":true,"took_ms":1.5,"#
                    + #""error":"broken"}"#), "\(line)")
    }

    @Test func `a real number reads back as it was`() throws {
        let values: [Double] = [
            0, -0.5, 1, 12.5, 0.1, 0.000001, 1.234567, 0.0000001, 123_456_789.25, 1e9, 1e15, 1e300,
            -1.5, .pi, .greatestFiniteMagnitude, .leastNonzeroMagnitude, 0.30000000000000004,
        ]
        let log = CollectedLog()
        for value in values { log.logger.info("real") { $0.add("value", value) } }
        log.logger.info("no number") { $0.add("value", Double.nan) }
        let lines = log.close()
        let read = lines.dropLast().map { line in
            line.split(separator: "\"value\":").last.flatMap { Double($0.dropLast(2)) }
        }
        #expect(read == values.map { $0 })
        #expect(lines.last?.hasSuffix("\"value\":null}\n") == true)
    }

    @Test(arguments: 0..<40)
    func `text of every length is escaped wherever that is needed`(_ length: Int) throws {
        let log = CollectedLog()
        let odd = ["\"", "\\", "\u{1}", "\u{1F}", "\u{7F}", "\u{E9}", "\u{1F600}", "!", " "]
        var expected: [String] = []
        for place in 0...length {
            for piece in odd {
                let text =
                    String(repeating: "a", count: place) + piece
                    + String(repeating: "b", count: length - place)
                expected.append(text)
            }
        }
        for text in expected {
            log.logger.info("text") { $0.add("text", text) }
            if log.logger.queuedRingBytes > 100_000 { log.logger.flush(within: .seconds(60)) }
        }
        let found = try log.close().map { try JSONValue.parse($0)["text"]?.text }
        #expect(found == expected)
    }

    @Test func `text for a terminal holds no control character`() throws {
        let log = CollectedLog(isHumanReadable: true)
        log.logger.error("red \u{1B}[31m") {
            $0.add("name", "a\nb\u{7}\u{9B}31mé\u{A0}")
            $0.add("n", 3)
        }
        let line = try #require(log.close().first)
        let expected = " ERROR    red ?[31m name=a?b??31mé\u{A0} n=3\n"
        #expect(line.dropFirst(24) == expected, "\(line)")
    }

    @Test func `only what reaches the level is written, and the level can change`() {
        let log = CollectedLog(level: .warning)
        log.logger.info("one")
        log.logger.warning("two")
        log.logger.setLevel(.debug)
        #expect(log.logger.isEnabled(.debug) && log.logger.level == .debug)
        log.logger.debug("three")
        #expect(log.close().map { $0.contains("two") || $0.contains("three") } == [true, true])
        log.logger.error("too late")
        #expect(log.lines.count == 2)
        #expect(log.logger.drops.count(.shutdown) == 1)
    }

    @Test func `below the level no value is computed`() {
        let count = Locked(0)
        let log = CollectedLog()
        func next() -> Int {
            count.withLock {
                $0 += 1
                return $0
            }
        }
        log.logger.debug("not there") { $0.add("n", next()) }
        log.logger.info("there") { $0.add("n", next()) }
        #expect(log.close().count == 1)
        #expect(count.withLock { $0 } == 1)
    }

    @Test func `what a thread logs in a request's name carries its id and trace`() throws {
        let log = CollectedLog()
        let trace = TraceContext(
            traceID: Key128(high: 0xAB, low: 0xCD), spanID: 0xEF, parentID: 0, isSampled: true)
        Array("mine-7".utf8).withUnsafeBytes { id in
            LogCorrelation.with(trace, requestID: id) {
                log.logger.info("inside") { $0.add("n", 1) }
            }
        }
        log.logger.info("outside")
        let lines = log.close()
        try #require(lines.count == 2)
        #expect(
            lines[0].hasSuffix(
                #""message":"inside","n":1,"request_id":"mine-7","#
                    + #""trace_id":"00000000000000ab00000000000000cd","#
                    + #""span_id":"00000000000000ef"}"# + "\n"), "\(lines[0])")
        #expect(lines[1].hasSuffix("\"message\":\"outside\"}\n"))
    }

    @Test func `what varies in a record is masked before any sink sees it`() throws {
        var options = LogOptions()
        options.masker = .standard
        let log = CollectedLog(options: options)
        Array("ann@example.com".utf8).withUnsafeBytes { id in
            let trace = TraceContext(
                traceID: Key128(high: 1, low: 2), spanID: 3, parentID: 0, isSampled: true)
            LogCorrelation.with(trace, requestID: id) {
                log.logger.info("a visitor") {
                    $0.add("text", "mail to bob@example.org from 203.0.113.7")
                    $0.add("json", #"{"password":"hunter2","n":1}"#)
                    $0.add("api_key", "anything")
                    $0.add("pin", 1234)
                    $0.add("cached", true)
                    $0.add("count", 7)
                }
            }
        }
        let line = try #require(log.close().first)
        let wanted =
            #""text":"mail to [EMAIL] from 203.0.113.0/24","#
            + #""json":"{\"password\":\"[REDACTED]\",\"n\":1}","api_key":"[REDACTED]","#
            + #""pin":"[REDACTED]","cached":true,"count":7,"request_id":"[EMAIL]""#
        #expect(line.contains(wanted), "\(line)")
    }

    @Test func `text for people is masked as well, and a match is counted once`() throws {
        var options = LogOptions()
        let masker = try Masker(MaskingPolicy())
        options.masker = masker
        let lines = Locked<[String]>([])
        final class Collecting: LogSink {
            let name = "collecting"
            let lines: Locked<[String]>
            init(_ lines: Locked<[String]>) { self.lines = lines }
            func write(_ written: UnsafeRawBufferPointer) {
                lines.withLock { $0.append(String(decoding: written, as: UTF8.self)) }
            }
        }
        let sink: (LogLook) -> LogOutput = { LogOutput(Collecting(lines), $0) }
        let log = Logger(
            level: .info, options: options, outputs: [sink(.json), sink(.text(isColoured: false))])
        log.info("a visitor") { $0.add("mail", "ann@example.com") }
        log.close()
        let found = lines.withLock { $0 }
        #expect(found.count == 2 && found.allSatisfy { $0.contains("[EMAIL]") }, "\(found)")
        #expect(masker.counts.first { $0.name == "email" }?.count == 1)
    }

    @Test func `of many equal records some are kept, and the next one says how many were not`()
        throws
    {
        var options = LogOptions()
        options.sampling = LogSampling(firstPerSecond: 3, thenEvery: 10)
        let log = CollectedLog(options: options)
        // The seconds may change in between, which keeps more of them.
        for number in 0..<1000 {
            log.logger.warning("noisy") { $0.add("n", number) }
            log.logger.error("never left out") { $0.add("n", number) }
        }
        let lines = log.close()
        let noisy = lines.filter { $0.contains("noisy") }
        #expect(lines.count - noisy.count == 1000)
        #expect((100...500).contains(noisy.count))
        let said = noisy.compactMap { try? JSONValue.parse($0)["sampled_out"] }
        let sum = said.reduce(Int64(0)) { if case .integer(let n) = $1 { $0 + n } else { $0 } }
        let left = Int64(log.logger.drops.count(.sampled))
        #expect(left == 1000 - Int64(noisy.count))
        #expect((left - 9...left).contains(sum), "\(sum) of \(left)")
    }
}
