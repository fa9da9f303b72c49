import Primitives
import Resilience
import TestSupport
import Testing

@testable import Redis

extension RedisConnector {
    /// One command on an open connection.
    static func send(
        _ connection: RedisConnection, _ build: (inout RedisPipeline) -> Void
    ) throws(RedisError) -> RedisReply {
        var pipeline = RedisPipeline()
        build(&pipeline)
        guard let reply = try connection.send(pipeline, deadline: .after(.seconds(10))).first
        else { throw RedisError(.unexpectedReply, "none") }
        return reply
    }
}

@Suite(.blocking, .suiteRedis) struct RedisConnectionTests {
    private func connect(
        _ url: RedisURL, within limit: Duration = .seconds(5)
    ) throws(RedisError) -> RedisConnection {
        try RedisConnector(url, clientName: "test node").connect(.after(limit))
    }

    @Test func `reads every kind of reply`() throws {
        let server = try RedisServer.ofSuite()
        let connection = try connect(server.url())
        var pipeline = RedisPipeline()
        pipeline.command("SET", "k", "v\u{0}é")
        pipeline.command("GET", "k")
        pipeline.command("GET", "missing")
        pipeline.command("INCRBY", "n", "-7")
        pipeline.command("LPUSH", "k", "x")
        pipeline.command("XADD", "s", "1-1", "id", "a", "event", "")
        pipeline.command("XADD", "s", "1-2", "id", "b")
        pipeline.command("XREAD", "STREAMS", "s", "0")
        pipeline.command("XRANGE", "s", "5", "6")
        pipeline.command("PING")
        let replies = try connection.send(pipeline, deadline: .after(.seconds(5)))
        #expect(replies.count == 10)
        #expect(replies[0]?.equals("OK") == true && replies[0]?.kind == .status)
        #expect(replies[1]?.string == "v\u{0}é" && replies[1]?.bytes?.count == 4)
        #expect(replies[2]?.isNull == true && replies[2]?.bytes == nil)
        #expect(replies[3]?.integer == -7)
        #expect(replies[4]?.errorCode == .wrongType && replies[4]?.equals("OK") == false)
        #expect(replies[5]?.string == "1-1")
        #expect(replies[8]?.kind == .array && replies[8]?.elements.isEmpty == true)
        #expect(replies[9]?.equals("PONG") == true)
        #expect(replies[10] == nil && replies[-1] == nil)
        let entries = try #require(replies[7]?.elements.first?.elements[1]?.elements)
        #expect(entries.map { $0.elements.first?.string } == ["1-1", "1-2"])
        let fields = try #require(entries[0]?.elements[1]?.elements)
        #expect(fields.map(\.string) == ["id", "a", "event", ""])
        #expect(fields[3]?.bytes?.isEmpty == true)
        #expect(replies[1]?.elements.isEmpty == true)
    }

    @Test func `replies larger than any buffer come whole, and the memory is given back`() throws {
        let server = try RedisServer.ofSuite()
        let connection = try connect(server.url())
        var pipeline = RedisPipeline()
        pipeline.command("SET", "big", String(repeating: "x", count: 5 << 20))
        pipeline.command("GET", "big")
        let replies = try connection.send(pipeline, deadline: .after(.seconds(10)))
        #expect(replies[1]?.bytes?.count == 5 << 20)
        #expect(replies[1]?.bytes?.allSatisfy { $0 == UInt8(ascii: "x") } == true)
        pipeline.removeAll()
        // Forty thousand commands: neither side's socket holds them, so writing and reading
        // have to take turns.
        for number in 0..<40_000 {
            pipeline.begin("ECHO", argumentCount: 1)
            pipeline.add("value number \(number) \(String(repeating: "y", count: 200))")
        }
        let echoes = try connection.send(pipeline, deadline: .after(.seconds(10)))
        var matches = 0
        for (number, reply) in echoes.enumerated() {
            if reply.string?.hasPrefix("value number \(number) ") == true { matches += 1 }
        }
        #expect(matches == 40_000)
        #expect(try RedisConnector.send(connection) { $0.command("PING") }.equals("PONG"))
    }

    @Test func `logs in, selects, and names itself`() throws {
        let server = try RedisServer([
            "--requirepass", "admin", "--user", "ada", "on", ">s:e@cret", "~*", "+@all", "-config",
        ])
        let connection = try connect(server.url(user: "ada", password: "s:e@cret", database: 3))
        #expect(try RedisConnector.send(connection) { $0.command("ACL", "WHOAMI") }.string == "ada")
        let info = try RedisConnector.send(connection) { $0.command("CLIENT", "INFO") }.string ?? ""
        #expect(info.contains(" name=test_node ") && info.contains(" db=3 "))
        let other = try connect(server.url(password: "admin"))
        #expect(
            try RedisConnector.send(other) { $0.command("ACL", "WHOAMI") }.string == "default")
    }

    @Test func `says why it may not log in`() throws {
        let server = try RedisServer(["--requirepass", "admin"])
        let wrong = #expect(throws: RedisError.self) {
            _ = try connect(server.url(password: "hunter2"))
        }
        #expect(wrong?.code == .wrongPassword)
        #expect(wrong?.description.contains("hunter2") == false)
        let none = #expect(throws: RedisError.self) { _ = try connect(server.url()) }
        #expect(none?.code == .noAuth)
        let database = #expect(throws: RedisError.self) {
            _ = try connect(server.url(password: "admin", database: 99))
        }
        #expect(database?.code == .otherServer)
    }

    @Test func `speaks over a socket file`() throws {
        let server = try RedisServer()
        let connection = try connect(RedisURL(parsing: "unix://\(server.socketPath)?db=1"))
        #expect(try RedisConnector.send(connection) { $0.command("PING") }.equals("PONG"))
        let missing = #expect(throws: RedisError.self) {
            _ = try connect(RedisURL(parsing: "unix:///nowhere/socket"))
        }
        #expect(missing?.code == .connection)
    }

    @Test func `nobody listening is a connection error at once`() throws {
        let start = MonotonicTime.now()
        let url = RedisURL(endpoints: [.tcp(host: "127.0.0.1", port: try Loopback.freePort())])
        let error = #expect(throws: RedisError.self) { _ = try connect(url) }
        #expect(error?.code == .connection)
        #expect(MonotonicTime.now().since(start) < .seconds(2) * slowness)
    }

    @Test func `a stopped Redis accepts, but is not taken for a living one`() throws {
        let server = try RedisServer()
        server.pause()
        defer { server.resume() }
        // The kernel's backlog makes the connection.
        _ = try RedisConnection(
            to: .tcp(host: "127.0.0.1", port: server.port), deadline: .after(.seconds(5)))
        let error = #expect(throws: RedisError.self) {
            _ = try connect(server.url(), within: .milliseconds(150))
        }
        #expect(error?.code == .timeout)
    }

    @Test func `an idle connection that the server closed is seen as stale`() throws {
        let server = try RedisServer()
        let connection = try connect(server.url())
        #expect(!connection.isStale)
        server.kill()
        #expect(eventually { connection.isStale })
        let error = #expect(throws: RedisError.self) {
            _ = try RedisConnector.send(connection) { $0.command("PING") }
        }
        #expect(error?.code == .connection)
        #expect(connection.isBroken)
    }

    /// What a broken or hostile peer may send instead of a reply. None may hang, crash or make us
    /// allocate what it announces.
    @Test(arguments: [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", RedisError.Code.protocolViolation),
        ("\u{0}\u{1}\u{2}", .protocolViolation), ("+PONG\r\n+PONG\r\n", .protocolViolation),
        (":notanumber\r\n", .protocolViolation), ("*-2\r\n", .protocolViolation),
        ("*99999999999999999999\r\n", .protocolViolation), ("$-7\r\nabc\r\n", .protocolViolation),
        ("$99999999999999999999\r\n", .protocolViolation),
        (String(repeating: "*1\r\n", count: 40), .protocolViolation),
        // Announced and never sent: nothing is allocated for it, and the deadline ends it.
        ("*2147483647\r\n:1\r\n", .timeout), ("$2147483647\r\nabc", .timeout), ("+PON", .timeout),
        ("$4\r\nPONG", .timeout),
    ])
    func `survives an answer that is no reply`(answer: String, code: RedisError.Code) throws {
        let proxy = try FaultProxy(to: 1, .garbage(answer))
        defer { proxy.stop() }
        let connection = try RedisConnection(
            to: .tcp(host: "127.0.0.1", port: proxy.port), deadline: .after(.seconds(5)))
        var pipeline = RedisPipeline()
        pipeline.command("PING")
        let error = #expect(throws: RedisError.self) {
            _ = try connection.send(pipeline, deadline: .after(.milliseconds(150)))
        }
        #expect(error?.code == code)
        #expect(connection.isBroken)
    }

    @Test func `any bytes and any shape come back as they were`() throws {
        let server = try RedisServer.ofSuite()
        let connection = try connect(server.url())
        let seed = UInt64.random(in: 0..<1 << 40)
        print("replies from seed \(seed)")
        var random = SeededRandom(seed: seed)
        for _ in 0..<200 {
            let values = (0..<Int.random(in: 1...40, using: &random)).map { _ in
                (0..<Int.random(in: 0...300, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
            }
            var pipeline = RedisPipeline(capacity: 16)
            pipeline.command("DEL", "list")
            pipeline.begin("RPUSH", argumentCount: values.count + 1)
            pipeline.add("list")
            for value in values { value.withUnsafeBytes { pipeline.add($0) } }
            pipeline.command("LRANGE", "list", "0", "-1")
            let replies = try connection.send(pipeline, deadline: .after(.seconds(5)))
            #expect(replies[1]?.integer == Int64(values.count))
            #expect(
                replies[2]?.elements.map { Array($0.bytes ?? .init(start: nil, count: 0)) }
                    == values)
        }
    }
}
