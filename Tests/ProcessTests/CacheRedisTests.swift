import TestSupport
import Testing

/// The Redis of the query cache, by itself and beside the streams.
@Suite(.processes) struct CacheRedisTests {
    private func component(_ name: String, of service: RunningService) throws -> String? {
        try service.get("/readyz").json()["components"]?[name]?.string
    }

    private func wait(_ service: RunningService, until cache: String) throws {
        try service.wait(until: "redis_cache is \(cache)") {
            try component("redis_cache", of: service) == cache
        }
    }

    @Test func `one that serves the cache alone comes and goes without the streams`() throws {
        let streams = try RedisServer()
        let cache = try RedisServer(["--maxmemory", "100mb"])
        let service = try RunningService.start(
            redis: streams.url, ["--cache-redis-url", cache.url])
        try service.waitUntilStreamsAre("ok")
        try service.wait(until: "the cache's Redis is seen") {
            try service.status("cache", "redis", "server", "version") != nil
        }
        #expect(try component("redis_cache", of: service) == "ok")
        #expect(try service.status("cache", "redis", "dedicated")?.bool == true)
        #expect(
            try service.status("cache", "redis", "server", "warnings")?.elements.first?.string?
                .contains("allkeys-lru") == true)
        let clients = try cache.command("CLIENT", "LIST")
        #expect(clients.contains { $0.contains("name=millrace-n1-cache ") })
        #expect(!clients.contains { $0.contains("name=millrace-n1-streams ") })

        cache.kill()
        try wait(service, until: "open")
        #expect(try component("redis_streams", of: service) == "ok")
        let ready = try service.get("/readyz")
        #expect(ready.status == 200)
        #expect(try ready.json()["status"]?.string == "degraded")
        #expect(
            try service.post("/events?ack=stored&timeout_ms=20000", json: #"{"type":"a"}"#).status
                == 200)
        #expect(try service.storedCount() == 1)
        try cache.start()
        try wait(service, until: "ok")
        #expect(try service.status("breakers", "cache", "opened")?.integer ?? 0 > 0)

        streams.kill()
        try service.waitUntilStreamsAre("open")
        #expect(try component("redis_cache", of: service) == "ok")
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `the Redis of the streams serves the cache as well, with a breaker of its own`()
        throws
    {
        let redis = try RedisServer()
        let service = try RunningService.start(redis: redis.url)
        try wait(service, until: "ok")
        #expect(try service.status("cache", "redis", "dedicated")?.bool == false)
        #expect(try service.putBreaker("cache", #"{"state":"forced_open"}"#).status == 200)
        #expect(try component("redis_cache", of: service) == "open")
        try service.waitUntilStreamsAre("ok")
        #expect(
            try service.get("/metrics").text.contains(
                #"millrace_breaker_state{breaker="cache",state="forced_open"} 1"#))
        #expect(try service.putBreaker("cache", #"{"state":"auto"}"#).status == 200)
        try wait(service, until: "ok")
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `without streams it is there for the cache alone`() throws {
        let redis = try RedisServer()
        let service = try RunningService.start(["--cache-redis-url", redis.url])
        try wait(service, until: "ok")
        #expect(try component("redis_streams", of: service) == "disabled")
        #expect(try service.status("stream") == nil)
        let metrics = try service.get("/metrics").text
        #expect(metrics.contains(#"millrace_breaker_state{breaker="cache",state="closed"} 1"#))
        #expect(!metrics.contains("millrace_stream_length_entries"))
        redis.pause()
        defer { redis.resume() }
        try wait(service, until: "open")
        #expect(
            try service.post("/events?ack=stored&timeout_ms=20000", json: #"{"type":"a"}"#).status
                == 200)
        redis.resume()
        try wait(service, until: "ok")
        #expect(try service.terminate() == .exited(0))
    }
}
