import Primitives
import Resilience
import TestSupport
import Testing

@testable import Redis

/// What a call meets, and what it must make of it.
struct FaultCase: Sendable, CustomTestStringConvertible {
    let name: String
    let fault: FaultProxy.Fault
    let code: RedisError.Code

    var testDescription: String { name }
}

@Suite(.blocking, .suiteRedis) struct RedisFaultTests {
    static let connectionFaults = [
        FaultCase(name: "reset", fault: .reset, code: .connection),
        FaultCase(name: "half-closed", fault: .halfClose, code: .connection),
        FaultCase(name: "cut in an answer", fault: .cut(3), code: .connection),
        FaultCase(name: "swallowed", fault: .swallow, code: .timeout),
        FaultCase(name: "slow", fault: .delay(.milliseconds(900)), code: .timeout),
        FaultCase(name: "trickling", fault: .trickle(.milliseconds(60)), code: .timeout),
        FaultCase(
            name: "garbage", fault: .garbage("SSH-2.0-OpenSSH_9.2\r\n"),
            code: .protocolViolation),
    ]

    @Test(arguments: connectionFaults)
    func `a fault has its class and ends by the deadline`(faultCase: FaultCase) throws {
        try meet(faultCase.fault) { redis, _ in
            // A slow machine may need more than 200 ms to notice a closed connection.
            let limit = faultCase.code == .timeout ? Duration.milliseconds(200) : .seconds(5)
            let start = MonotonicTime.now()
            #expect(redis.attempt(within: limit) == faultCase.code)
            #expect(MonotonicTime.now().since(start) < .milliseconds(1000) * slowness)
        }
    }

    /// Runs `body` with a fault between it and a real Redis. The connection is there before the
    /// fault, so a call meets that and not the greeting.
    private func meet(_ fault: FaultProxy.Fault, _ body: (GuardedRedis, FaultProxy) -> Void) throws
    {
        let server = try RedisServer.ofSuite()
        let proxy = try FaultProxy(to: server.port)
        defer { proxy.stop() }
        let redis = GuardedRedis(port: proxy.port)
        defer { redis.close() }
        #expect(redis.attempt(within: .seconds(5)) == nil)
        proxy.set(fault)
        body(redis, proxy)
    }

    @Test(arguments: connectionFaults)
    func `a fault opens the breaker, which closes by itself when it is over`(
        faultCase: FaultCase
    ) throws {
        try meet(faultCase.fault) { redis, proxy in
            // One call only: the checks that it sets off do the rest.
            _ = redis.attempt(within: .milliseconds(150))
            #expect(eventually { redis.mode() == .open })
            #expect(redis.attempt() == .breakerOpen)
            #expect(redis.breaker(.streams).snapshot(at: .now()).reason == .connectionFailures)
            #expect(redis.status.first?.lastError?.code.endsConnection == true)
            proxy.set(.none)
            #expect(eventually { redis.mode() == .closed })
            #expect(redis.attempt(within: .seconds(5)) == nil)
        }
    }

    @Test func `a killed Redis opens the breaker, and one that returns closes it`() throws {
        let server = try RedisServer()
        let changes = Locked<[BreakerChange]>([])
        let redis = GuardedRedis(port: server.port) { change in
            changes.withLock { $0.append(change) }
        }
        defer { redis.close() }
        #expect(redis.attempt() == nil)
        server.kill()
        let start = MonotonicTime.now()
        #expect(redis.attempt() == .connection)
        #expect(eventually { redis.mode() == .open })
        #expect(MonotonicTime.now().since(start) < .seconds(5) * slowness)
        try server.start(withData: false)
        #expect(eventually { redis.mode() == .closed })
        #expect(redis.attempt() == nil)
        let seen = changes.withLock { $0 }.filter { $0.name == "streams" }.map(\.to)
        #expect(seen.first == .open && seen.last == .closed && seen.contains(.halfOpen))
    }

    @Test func `a stopped Redis opens the breaker, and one that continues closes it`() throws {
        let server = try RedisServer()
        let redis = GuardedRedis(port: server.port)
        defer { redis.close() }
        #expect(redis.attempt() == nil)
        server.pause()
        let stopped = MonotonicTime.now()
        #expect(redis.attempt(within: .milliseconds(250)) == .timeout)
        #expect(eventually { redis.mode() == .open })
        // Within a second; the rest is a busy machine.
        let openedAfter = redis.breaker(.streams).snapshot(at: .now()).changedAt.since(stopped)
        #expect(openedAfter < .seconds(3) * slowness)
        // Refused calls do not touch Redis, so they take no time.
        let start = MonotonicTime.now()
        for _ in 0..<1000 { #expect(redis.attempt() == .breakerOpen) }
        #expect(MonotonicTime.now().since(start) < .seconds(2) * slowness)
        server.resume()
        #expect(eventually { redis.mode() == .closed })
        #expect(redis.attempt() == nil)
    }

    @Test(arguments: [
        ("LOADING Redis is loading the dataset in memory", RedisError.Code.loading),
        ("READONLY You can't write against a read only replica.", .readOnly),
        ("OOM command not allowed when used memory > 'maxmemory'.", .outOfMemory),
        ("MISCONF Redis is configured to save RDB snapshots", .misconfigured),
        ("MASTERDOWN Link with MASTER is down", .masterDown),
        ("CLUSTERDOWN Hash slot not served", .clusterDown),
        ("NOAUTH Authentication required.", .noAuth),
    ])
    func `a server that refuses opens the breaker by its rate`(
        message: String, code: RedisError.Code
    ) throws {
        let proxy = try FaultProxy(to: 1, .script(["XADD": "-\(message)\r\n"]))
        defer { proxy.stop() }
        let redis = GuardedRedis(port: proxy.port)
        defer { redis.close() }
        for _ in 0..<20 {
            #expect(redis.mode() == .closed)
            #expect(
                redis.attempt(within: .seconds(5)) { $0.command("XADD", "s", "*", "a", "b") }
                    == code)
        }
        #expect(redis.mode() != .closed)
        #expect(redis.status.first?.failureCount == 20)
        proxy.set(.script([:]))
        #expect(eventually { redis.mode() == .closed })
    }

    @Test func `questions that are answered do not make up for work that is refused`() throws {
        let proxy = try FaultProxy(to: 1, .script(["XADD": "-OOM command not allowed\r\n"]))
        defer { proxy.stop() }
        let redis = GuardedRedis(port: proxy.port)
        defer { redis.close() }
        for _ in 0..<20 {
            #expect(redis.mode() == .closed)
            for _ in 0..<3 {
                try redis.call(.streams, deadline: .after(.seconds(5)), isQuestion: true) {
                    session throws(RedisError) in
                    var pipeline = RedisPipeline()
                    pipeline.command("PING")
                    #expect(try session.send(pipeline).count == 1)
                }
            }
            #expect(
                redis.attempt(within: .seconds(5)) { $0.command("XADD", "s", "*", "a", "b") }
                    == .outOfMemory)
        }
        #expect(redis.mode() != .closed)
    }

    @Test func `an error inside a pipeline counts although nobody looks at it`() throws {
        let proxy = try FaultProxy(to: 1, .script(["XADD": "-OOM command not allowed\r\n"]))
        defer { proxy.stop() }
        let redis = GuardedRedis(port: proxy.port)
        defer { redis.close() }
        for _ in 0..<20 {
            try redis.call(.streams, deadline: .after(.seconds(5))) {
                session throws(RedisError) in
                var pipeline = RedisPipeline()
                pipeline.command("XADD", "s", "*", "a", "b")
                pipeline.command("PING")
                #expect(try session.send(pipeline).count == 2)
            }
        }
        #expect(redis.mode() != .closed)
        #expect(redis.status.first?.lastError?.code == .outOfMemory)
    }

    @Test(arguments: [
        (["PING": "-LOADING Redis is loading the dataset in memory\r\n"], RedisError.Code.loading),
        (["PING": "-NOAUTH Authentication required.\r\n"], .noAuth),
        (["PING": "-MASTERDOWN Link with MASTER is down\r\n"], .masterDown),
        (["PING": "+WHO\r\n"], .unexpectedReply),
    ])
    func `a greeting that is refused keeps the breaker open until it is not`(
        script: [String: String], code: RedisError.Code
    ) throws {
        let proxy = try FaultProxy(to: 1, .script(script))
        defer { proxy.stop() }
        let redis = GuardedRedis(port: proxy.port)
        defer { redis.close() }
        #expect(redis.attempt(within: .seconds(5)) == code)
        #expect(eventually { redis.mode() == .open })
        let opened = redis.breaker(.streams).snapshot(at: .now()).changedAt
        // It stays open over several probes.
        #expect(eventually { MonotonicTime.now().since(opened) > .milliseconds(500) })
        #expect(redis.mode() == .open)
        proxy.set(.script([:]))
        #expect(eventually { redis.mode() == .closed })
    }

    @Test func `a replica is not well, for it refuses writes`() throws {
        let role = "*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:1\r\n$9\r\nconnected\r\n:0\r\n"
        let proxy = try FaultProxy(to: 1, .script(["ROLE": role]))
        defer { proxy.stop() }
        let url = RedisURL(endpoints: [.tcp(host: "127.0.0.1", port: proxy.port)])
        let connector = RedisConnector(url, clientName: "test")
        let error = #expect(throws: RedisError.self) { try connector.check(.after(.seconds(5))) }
        #expect(error?.code == .readOnly)
        // An access list that forbids ROLE does not make the server ill.
        proxy.set(.script(["ROLE": "-NOPERM this user has no permissions\r\n"]))
        try connector.check(.after(.seconds(5)))
    }

    @Test func `calls on many threads survive a Redis that comes and goes`() throws {
        let server = try RedisServer.ofSuite()
        let proxy = try FaultProxy(to: server.port)
        defer { proxy.stop() }
        let redis = GuardedRedis(port: proxy.port)
        defer { redis.close() }
        let isDone = Locked(false)
        let counts = Locked((good: 0, bad: 0))
        let threads = (0..<6).map { index in
            Thread(name: "caller") {
                while !isDone.withLock({ $0 }) {
                    let lane = RedisLane.allCases[index % 3]
                    let code = redis.attempt(lane, within: .milliseconds(100))
                    counts.withLock { if code == nil { $0.good += 1 } else { $0.bad += 1 } }
                    if code != nil { sleep(until: .after(.milliseconds(1))) }
                }
            }
        }
        for fault in [FaultProxy.Fault.reset, .swallow, .cut(2), .garbage("?\r\n")] {
            let before = counts.withLock { $0 }
            proxy.set(fault)
            #expect(eventually { counts.withLock { $0.bad } > before.bad + 10 })
            proxy.set(.none)
            #expect(eventually { counts.withLock { $0.good } > before.good + 100 })
            #expect(eventually { RedisLane.allCases.allSatisfy { redis.mode($0) == .closed } })
        }
        isDone.withLock { $0 = true }
        for thread in threads { thread.join() }
        #expect(redis.status.allSatisfy { $0.lentConnections == 0 })
    }
}
