import Primitives
import TestSupport
import Testing

@testable import Sinks

/// What is no answer to the question is not believed by a sink either.
@Suite(.blocking) struct SinkReplyTests {
    private let stream: SinkStreamHarness

    init() throws { stream = try SinkStreamHarness() }

    @Test(arguments: ["XPENDING", "XRANGE", "XREADGROUP"])
    func `what answers OK to everything has lost nothing`(command: String) throws {
        var replies = [
            "XINFO": "*0\r\n", "XPENDING": "*0\r\n", "XREADGROUP": "*-1\r\n",
        ]
        if command == "XRANGE" {
            replies["XPENDING"] = "*1\r\n*4\r\n$3\r\n5-1\r\n$1\r\na\r\n:9\r\n:1\r\n"
        }
        replies[command] = "+OK\r\n"
        let proxy = try FaultProxy(to: stream.server.port, .script(replies))
        defer { proxy.stop() }
        let (source, redis) = stream.source(
            stream.options(try Receiver()), url: SinkStreamHarness.url(of: proxy))
        defer { redis.close() }
        do throws(SinkSourceError) {
            let batch = try source.next(0, until: .after(.milliseconds(100)))
            Issue.record("it was believed: \(batch?.entries ?? [])")
        } catch {
            #expect(error.description.contains(command))
        }
        #expect(source.lost == 0)
    }
}
