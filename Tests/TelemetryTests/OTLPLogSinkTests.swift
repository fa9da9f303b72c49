import Primitives
import Telemetry
import TestSupport
import Testing

/// The service's own log on its way to a collector.
@Suite struct OTLPLogSinkTests {
    private func logger(_ receiver: OTLPReceiver, _ more: [LogOutput] = []) -> Logger {
        var options = OTLPOptions(
            endpoint: receiver.endpoint, serviceVersion: "1.2.3", instance: "node-7")
        options.headers = [("X-Key", "secret")]
        options.timeout = .seconds(2)
        return Logger(
            level: .info, outputs: more + [LogOutput(OTLPLogSink(options), .json)])
    }

    private func wait(_ isSo: () -> Bool) {
        let deadline = Deadline.after(.seconds(20) * slowness)
        while !isSo(), !deadline.hasPassed { sleep(until: .after(.milliseconds(5))) }
    }

    @Test func `records arrive with severity, fields, trace and this service's name`() throws {
        let receiver = try OTLPReceiver()
        let logger = logger(receiver)
        let trace = TraceContext(
            traceID: Key128(high: 1, low: 2), spanID: 3, parentID: 0, isSampled: true)
        let id = Bytes("request-1")
        let before = UInt64(WallClock.nowMilliseconds()) * 1_000_000
        withExtendedLifetime(id) {
            LogCorrelation.with(trace, requestID: id.span) {
                logger.warning("the disk is \"full\"") {
                    $0.add("bytes", 12)
                    $0.add("ratio", 0.25)
                    $0.add("path", "/é")
                    $0.add("is_new", true)
                }
            }
        }
        logger.critical("second")
        logger.close(within: .seconds(20))
        let taken = receiver.taken
        try #require(taken.count == 2)
        #expect(taken[0].body == "the disk is \"full\"" && taken[0].severity == 13)
        #expect(
            taken[0].attributes
                == #"{"bytes":12,"ratio":0.25,"path":"/é","is_new":true,"request_id":"request-1"}"#)
        #expect(taken[0].traceID == Key128(high: 1, low: 2) && taken[0].spanID == 3)
        #expect(taken[0].time + 1_000_000 >= before && taken[0].time < before + 60_000_000_000)
        #expect(
            taken[0].resource
                == #"{"service.name":"millrace","service.version":"1.2.3","#
                + #""service.instance.id":"node-7"}"#)
        #expect(taken[1].body == "second" && taken[1].severity == 18)
        #expect(taken[1].traceID == nil)
        #expect(receiver.heads.count == 1, "records are gathered")
        #expect(receiver.heads[0].hasPrefix("POST /v1/logs "))
        #expect(receiver.heads[0].contains("X-Key: secret"))
        #expect(receiver.heads[0].contains("User-Agent: millrace/1.2.3"))
        #expect(logger.drops.lost == 0)
    }

    @Test func `an endpoint that fails costs time and no record, and holds up no other sink`()
        throws
    {
        let receiver = try OTLPReceiver { _, number in
            [.status(503), .reset, .status(429)][min(number, 2)]
        }
        let other = MemorySink()
        let logger = logger(receiver, [LogOutput(other, .json)])
        for number in 0..<50 { logger.info("record") { $0.add("number", number) } }
        wait { receiver.heads.count >= 2 }
        wait { logger.sinks.last?.error != nil }
        #expect(logger.sinks.first?.error == nil)
        wait { other.lines == 50 }
        #expect(other.lines == 50)
        receiver.obey { _, _ in .status(200) }
        wait { receiver.taken.count == 50 }
        #expect(receiver.taken.map(\.attributes) == (0..<50).map { #"{"number":\#($0)}"# })
        wait { logger.sinks.last?.error == nil }
        #expect(logger.sinks.last?.error == nil)
        logger.close(within: .seconds(20))
        #expect(logger.drops.lost == 0)
    }

    @Test func `what is refused or left out is counted, and the log goes on`() throws {
        let receiver = try OTLPReceiver { _, number in
            [.status(400), .partial(1), .status(200)][min(number, 2)]
        }
        let logger = logger(receiver)
        // One record at a time: several may be sent in one request or in two.
        for round in 0..<4 {
            logger.info("record")
            wait { receiver.heads.count >= round + 1 }
            wait { logger.queuedBytes == 0 }
        }
        logger.close(within: .seconds(20))
        #expect(logger.drops.count(.sinkError) == 2)
        // What was left out is a record, or the log's summary of what was dropped.
        #expect((2...3).contains(receiver.taken.count { $0.body == "record" }))
    }
}

/// Counts lines.
private final class MemorySink: LogSink {
    let name = "memory"
    private let count = Locked(0)

    var lines: Int { count.withLock { $0 } }

    func write(_ lines: UnsafeRawBufferPointer) {
        let found = lines.count { $0 == UInt8(ascii: "\n") }
        count.withLock { $0 += found }
    }
}
