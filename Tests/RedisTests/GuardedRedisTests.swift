import Primitives
import Resilience
import Telemetry
import TestSupport
import Testing

@testable import Redis

extension GuardedRedis {
    /// One that tests a server or a proxy on that port.
    convenience init(
        port: UInt16, database: Int = 0, connectionLimit: Int = 4,
        observer: @escaping @Sendable (BreakerChange) -> Void = { _ in }
    ) {
        var options = RedisLaneOptions(connectionLimit: connectionLimit)
        // Tests do not wait for a second, nor for five trials.
        options.breaker.firstOpen = .milliseconds(100)
        options.breaker.successesToClose = 2
        let chosen = options
        self.init(
            RedisURL(endpoints: [.tcp(host: "127.0.0.1", port: port)], database: database),
            clientName: "test",
            options: { _ in chosen }, logger: .silent, observer: observer)
    }

    /// One command on a lane; the error's code, or nil.
    func attempt(
        _ lane: RedisLane = .streams, within limit: Duration = .milliseconds(300),
        _ build: (inout RedisPipeline) -> Void = { $0.command("PING") }
    ) -> RedisError.Code? {
        do {
            try call(lane, deadline: .after(limit)) { session throws(RedisError) in
                var pipeline = RedisPipeline()
                build(&pipeline)
                _ = try session.single(pipeline)
            }
            return nil
        } catch {
            return error.code
        }
    }

    func mode(_ lane: RedisLane = .streams) -> BreakerMode {
        breaker(lane).snapshot(at: .now()).mode
    }
}

@Suite(.blocking, .suiteRedis) struct GuardedRedisTests {
    @Test func `runs calls on connections that it keeps`() throws {
        let server = try RedisServer.ofSuite()
        let redis = GuardedRedis(port: server.port, database: server.database)
        defer { redis.close() }
        for _ in 0..<20 { #expect(redis.attempt() == nil) }
        let status = try #require(redis.status.first)
        #expect(status.lane == .streams)
        #expect(status.idleConnections == 1 && status.lentConnections == 0)
        #expect(status.breaker.callCount == 20 && status.failureCount == 0)
        #expect(status.durations.snapshot.counts.reduce(0, +) == 20)
    }

    @Test func `lanes have connections of their own`() throws {
        let server = try RedisServer.ofSuite()
        let redis = GuardedRedis(port: server.port, database: server.database, connectionLimit: 1)
        defer { redis.close() }
        try redis.call(.streams, deadline: .after(.seconds(5))) { _ throws(RedisError) in
            #expect(redis.attempt(.cache, within: .seconds(5)) == nil)
            #expect(redis.attempt(.consumer, within: .seconds(5)) == nil)
        }
        #expect(RedisLane.allCases.allSatisfy { redis.mode($0) == .closed })
    }

    @Test func `waits for a connection until the deadline, which says nothing of Redis`() throws {
        let server = try RedisServer.ofSuite()
        let redis = GuardedRedis(port: server.port, database: server.database, connectionLimit: 1)
        defer { redis.close() }
        try redis.call(.streams, deadline: .after(.seconds(5))) { _ throws(RedisError) in
            let codes = Locked<[RedisError.Code?]>([])
            let thread = Thread(name: "second") {
                let code = redis.attempt(within: .milliseconds(50))
                codes.withLock { $0.append(code) }
            }
            thread.join()
            #expect(codes.withLock { $0 } == [.poolExhausted])
        }
        #expect(redis.breaker(.streams).snapshot(at: .now()).callCount == 0)
        #expect(redis.attempt() == nil)
    }

    @Test func `many threads share few connections`() throws {
        let server = try RedisServer.ofSuite()
        let redis = GuardedRedis(port: server.port, database: server.database, connectionLimit: 3)
        defer { redis.close() }
        let errors = Locked<[RedisError.Code]>([])
        let threads = (0..<8).map { _ in
            Thread(name: "caller") {
                for _ in 0..<300 {
                    let code = redis.attempt(within: .seconds(20)) { $0.command("INCR", "n") }
                    if let code { errors.withLock { $0.append(code) } }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(errors.withLock { Set($0) } == [])
        #expect(redis.breaker(.streams).snapshot(at: .now()).reason == .started)
        let count = try redis.call(.streams, deadline: .after(.seconds(5))) {
            session throws(RedisError) in
            var pipeline = RedisPipeline()
            pipeline.command("GET", "n")
            return try session.single(pipeline).integer
        }
        #expect(count == 2400)
        let status = try #require(redis.status.first)
        #expect(status.idleConnections <= 3 && status.lentConnections == 0)
    }

    @Test func `a blocking read may wait without being slow`() throws {
        let server = try RedisServer.ofSuite()
        let redis = GuardedRedis(port: server.port, database: server.database)
        defer { redis.close() }
        for _ in 0..<3 {
            let isNull = try redis.call(
                .consumer, deadline: .after(.seconds(5)), waitAllowance: .milliseconds(150)
            ) { session throws(RedisError) in
                var pipeline = RedisPipeline()
                pipeline.command("XREAD", "BLOCK", "150", "STREAMS", "none", "$")
                return try session.single(pipeline).isNull
            }
            #expect(isNull)
        }
        // Whether three calls were slow is read from the window; no rate is due before twenty.
        let breaker = redis.breaker(.consumer).snapshot(at: .now())
        #expect(breaker.callCount == 3 && breaker.slowRate < 1)
    }

    @Test func `what a caller does with an answer makes no call slow`() throws {
        let server = try RedisServer.ofSuite()
        let redis = GuardedRedis(port: server.port, database: server.database)
        defer { redis.close() }
        for _ in 0..<3 {
            try redis.call(.consumer, within: .seconds(5)) { session throws(RedisError) in
                var pipeline = RedisPipeline()
                pipeline.command("PING")
                _ = try session.single(pipeline)
                sleep(until: .after(.milliseconds(250)))
            }
        }
        let breaker = redis.breaker(.consumer).snapshot(at: .now())
        #expect(breaker.callCount == 3 && breaker.slowRate < 1)
    }

    @Test func `what is wrong with the command is no failure`() throws {
        let server = try RedisServer.ofSuite()
        let redis = GuardedRedis(port: server.port, database: server.database)
        defer { redis.close() }
        #expect(redis.attempt { $0.command("SET", "k", "v") } == nil)
        for _ in 0..<30 {
            #expect(redis.attempt { $0.command("XLEN", "k") } == .wrongType)
            #expect(redis.attempt { $0.command("XACK") } == .otherServer)
            #expect(
                redis.attempt {
                    $0.command("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
                } == .noGroup)
        }
        let breaker = redis.breaker(.streams).snapshot(at: .now())
        #expect(breaker.failureRate == 0 && breaker.mode == .closed)
    }

    @Test func `a call that sends nothing is not counted`() throws {
        let server = try RedisServer.ofSuite()
        let redis = GuardedRedis(port: server.port, database: server.database)
        defer { redis.close() }
        let error = #expect(throws: RedisError.self) {
            try redis.call(.cache, deadline: .after(.seconds(5))) { _ throws(RedisError) in
                throw RedisError(.cancelled, "the client went away")
            }
        }
        #expect(error?.code == .cancelled)
        #expect(redis.breaker(.cache).snapshot(at: .now()).callCount == 0)
    }

    @Test func `repeats what is safe to repeat`() throws {
        let server = try RedisServer.ofSuite()
        let redis = GuardedRedis(port: server.port, database: server.database)
        defer { redis.close() }
        let attempts = Locked(0)
        let value = try redis.callRepeating(.cache, deadline: .after(.seconds(5))) {
            _ throws(RedisError) -> Int in
            let attempt = attempts.withLock {
                $0 += 1
                return $0
            }
            if attempt < 3 { throw RedisError(.connection, "lost") }
            return attempt
        }
        #expect(value == 3)
        let error = #expect(throws: RedisError.self) {
            try redis.callRepeating(.cache, deadline: .after(.seconds(5))) {
                _ throws(RedisError) in
                attempts.withLock { $0 += 1 }
                throw RedisError(.noGroup, "no later attempt helps")
            }
        }
        #expect(error?.code == .noGroup)
        #expect(attempts.withLock { $0 } == 4)
    }

    @Test func `refuses after close`() throws {
        let server = try RedisServer.ofSuite()
        let redis = GuardedRedis(port: server.port, database: server.database)
        #expect(redis.attempt() == nil)
        redis.close()
        #expect(redis.attempt() == .closed)
        redis.close()
    }

    @Test func `an operator forces a lane open and disables its breaker`() throws {
        let server = try RedisServer()
        let redis = GuardedRedis(port: server.port)
        defer { redis.close() }
        redis.breaker(.cache).apply(.forcedOpen, at: .now())
        #expect(redis.attempt(.cache) == .breakerOpen)
        #expect(redis.attempt(.streams) == nil)
        redis.breaker(.cache).apply(.disabled, at: .now())
        server.kill()
        for _ in 0..<10 { #expect(redis.attempt(.cache) == .connection) }
        #expect(redis.mode(.cache) == .disabled)
    }

    @Test func `a request's call gets a quarter of a second or what is left`() {
        let short = Deadline.after(.milliseconds(20))
        #expect(GuardedRedis.requestDeadline(within: short) == short)
        let remaining = GuardedRedis.requestDeadline(within: .never).remaining
        #expect(remaining > .zero && remaining <= .milliseconds(250))
    }
}
