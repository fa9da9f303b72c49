import Primitives
import Redis
import TestSupport
import Testing

@testable import EventCoding
@testable import Streams

/// What is no answer to the question is not believed, and of one that is, a part at a time.
@Suite(.blocking) struct StreamReplyTests {
    private static let id = StreamEntryID(milliseconds: 5, number: 1)
    private static let groups =
        "*1\r\n*4\r\n$4\r\nname\r\n$1\r\ng\r\n$17\r\nlast-delivered-id\r\n$3\r\n5-1\r\n"
    private static let onePending = "*1\r\n*4\r\n$3\r\n5-1\r\n$1\r\nn\r\n:9\r\n:1\r\n"

    struct Reply: Sendable, CustomTestStringConvertible {
        var command: String
        var text: String
        var isRight: Bool

        var testDescription: String { "\(command): \(text.debugDescription)" }
    }

    private static let replies = [
        Reply(command: "XRANGE", text: "*0\r\n", isRight: true),
        Reply(command: "XRANGE", text: "*1\r\n*2\r\n$3\r\n5-1\r\n*0\r\n", isRight: true),
        Reply(command: "XRANGE", text: "*1\r\n*2\r\n$3\r\n5-2\r\n*0\r\n", isRight: false),
        Reply(command: "XRANGE", text: "*1\r\n*1\r\n$3\r\n5-1\r\n", isRight: false),
        Reply(command: "XRANGE", text: "*1\r\n$3\r\n5-1\r\n", isRight: false),
        Reply(command: "XRANGE", text: "+OK\r\n", isRight: false),
        Reply(command: "XRANGE", text: "$-1\r\n", isRight: false),
        Reply(command: "XRANGE", text: ":0\r\n", isRight: false),
        Reply(command: "XPENDING", text: "*0\r\n", isRight: true),
        Reply(command: "XPENDING", text: onePending, isRight: true),
        Reply(command: "XPENDING", text: "*1\r\n$3\r\n5-1\r\n", isRight: false),
        Reply(command: "XPENDING", text: "+OK\r\n", isRight: false),
        Reply(command: "XPENDING", text: "$-1\r\n", isRight: false),
        Reply(
            command: "XAUTOCLAIM", text: "*3\r\n$3\r\n0-0\r\n*1\r\n$3\r\n5-1\r\n*0\r\n",
            isRight: true),
        Reply(command: "XAUTOCLAIM", text: "*2\r\n$3\r\n0-0\r\n*0\r\n", isRight: true),
        Reply(command: "XAUTOCLAIM", text: "*2\r\n$3\r\n0-0\r\n*1\r\n:5\r\n", isRight: false),
        Reply(command: "XAUTOCLAIM", text: "*1\r\n$3\r\n0-0\r\n", isRight: false),
        Reply(command: "XAUTOCLAIM", text: "*2\r\n$2\r\nno\r\n*0\r\n", isRight: false),
        Reply(command: "XAUTOCLAIM", text: "+OK\r\n", isRight: false),
        Reply(command: "XREADGROUP", text: "$-1\r\n", isRight: true),
        Reply(command: "XREADGROUP", text: "*0\r\n", isRight: true),
        Reply(command: "XREADGROUP", text: "+OK\r\n", isRight: false),
    ]

    @Test(arguments: replies)
    func `a reply has its command's shape`(reply: Reply) throws {
        // Nothing is behind it, and nothing asked of that.
        let proxy = try FaultProxy(to: 9, .script([reply.command: reply.text]))
        defer { proxy.stop() }
        let redis = GuardedRedis(
            SinkStreamHarness.url(of: proxy), lanes: [.consumer], clientName: "test",
            logger: .silent)
        defer { redis.close() }
        var code: RedisError.Code?
        do throws(RedisError) {
            try redis.call(.consumer, within: .seconds(5)) { session throws(RedisError) in
                var pipeline = RedisPipeline()
                switch reply.command {
                case "XRANGE":
                    pipeline.command("XRANGE")
                    var copies = EntryCopies()
                    try copies.add(try session.single(pipeline), of: StreamReplyTests.id)
                case "XPENDING":
                    pipeline.command("XPENDING")
                    _ = try PendingEntry.all(try session.single(pipeline))
                case "XAUTOCLAIM":
                    pipeline.command("XAUTOCLAIM")
                    _ = try TakenOver(try session.single(pipeline))
                default:
                    pipeline.command("XREADGROUP")
                    try session.single(pipeline).expectNewEntries()
                }
            }
        } catch { code = error.code }
        #expect(code == (reply.isRight ? nil : .unexpectedReply))
    }

    @Test(arguments: ["XPENDING", "XRANGE", "XAUTOCLAIM"])
    func `what answers OK to everything has lost nothing`(command: String) throws {
        let harness = try ConsumerHarness()
        defer { harness.stop() }
        var replies = [
            "XINFO": StreamReplyTests.groups, "MGET": "*1\r\n$-1\r\n", "XREADGROUP": "*-1\r\n",
            "XPENDING": "*0\r\n", "XAUTOCLAIM": "*2\r\n$3\r\n0-0\r\n*0\r\n",
        ]
        if command == "XRANGE" { replies["XPENDING"] = StreamReplyTests.onePending }
        replies[command] = "+OK\r\n"
        harness.proxy.set(.script(replies))
        harness.consumer.start()
        let isTold = { harness.consumer.failures > 1 }
        var entryCount = 0
        _ = try harness.store(within: .seconds(20)) { batch in
            entryCount += batch.entryCount
        } until: { _ in
            isTold()
        }
        #expect(entryCount == 0, "something was going to be acknowledged")
        #expect(isTold())
        #expect(harness.consumer.error?.contains(command) != false)
        #expect(harness.consumer.lost.count == 0)
    }

    @Test func `what is refused counts against what one reply may bring`() throws {
        let harness = try ConsumerHarness()
        defer { harness.stop() }
        try harness.makeGroup()
        let text = String(repeating: "x", count: 1 << 20)
        for _ in 0..<24 { try harness.add(text: text) }
        harness.consumer.start()
        var counts: [Int] = []
        _ = try harness.store { batch in
            guard !batch.isEmpty else { return }
            counts.append(batch.refused.count)
            #expect(batch.byteCount == batch.refused.reduce(0) { $0 + $1.raw.span.count })
        } until: { _ in
            counts.reduce(0, +) >= 24
        }
        // Twice the 4 MiB that a read should bring, and the entry that went beyond.
        #expect(counts.reduce(0, +) == 24 && counts.allSatisfy { $0 <= 9 }, "\(counts)")
    }
}
