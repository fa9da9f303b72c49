import Primitives
import TestSupport
import Testing

/// Answers from the cache, through the front door.
@Suite(.processes) struct QueryCacheTests {
    private let question = "/query?metric=count&from=1971-01-01&to=2100-01-01"

    private func store(_ service: RunningService, type: String = "t", count: Int = 1) throws {
        let lines = (0..<count).map {
            #"{"type":"\#(type)","n":\#($0),"time":"2026-01-01T00:00:00Z"}"#
        }
        let reply = try service.post("/events?ack=stored", lines: lines)
        guard reply.status == 200 else { throw TestError("not stored: \(reply.text)") }
    }

    private func status(_ reply: ClientReply) -> String { reply.header("Cache-Status") ?? "" }

    private func count(_ reply: ClientReply) throws -> Int? {
        try reply.json()["rows"]?[0]?[0]?.integer
    }

    @Test func `a question that is asked again is answered from memory`() throws {
        let service = try RunningService.start()
        try store(service)
        let first = try service.get(question)
        #expect(status(first) == "memory; fwd=uri-miss; stored")
        let second = try service.get(question)
        #expect(status(second).hasPrefix("memory; hit; ttl="), "\(status(second))")
        #expect(first.text == second.text)
        #expect(second.header("Age") == "0")
        #expect(
            second.header("Cache-Control") == "private, max-age=1, stale-while-revalidate=0")
        #expect(second.header("Server-Timing")?.hasPrefix("memory;dur=") == true)
        let posted = try service.post(
            "/query", json: #"{"metric":"count","from":"1971-01-01","to":"2100-01-01"}"#)
        #expect(status(posted).hasPrefix("memory; hit"), "\(status(posted))")
        #expect(posted.text == first.text && posted.header("ETag") == nil)
        // Another form is another answer.
        #expect(status(try service.get(question + "&format=csv")).contains("uri-miss"))
        let cache = try service.get("/status").json()["cache"]
        #expect(cache?["hits"]?.integer == 2 && cache?["memory"]?["entries"]?.integer == 2)
        #expect(
            try service.get("/metrics").text.contains(
                #"millrace_cache_requests_total{result="hits"} 2"#))
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `a strict question sees what was stored before it, others within their bound`()
        throws
    {
        let service = try RunningService.start()
        try store(service)
        #expect(try count(service.get(question)) == 1)
        for stored in 2...20 {
            try store(service)
            #expect(try count(service.get(question + "&max_stale=0")) == stored)
            let validated = try service.get(question, headers: ["Cache-Control": "no-cache"])
            #expect(try count(validated) == stored)
        }
        // Nothing has changed since, so strict questions are hits too.
        #expect(status(try service.get(question + "&max_stale=0")).hasPrefix("memory; hit"))
        // Other types change nothing for this question: its answer is validated, not computed.
        let typed = question + "&event=t&max_stale=0"
        #expect(try count(service.get(typed)) == 20)
        try store(service, type: "other")
        let validated = try service.get(typed)
        #expect(status(validated).hasPrefix("memory; fwd=stale; fwd-status=304"))
        #expect(try count(validated) == 20)
        let changed = MonotonicTime.now()
        try store(service)
        var seen = try count(service.get(question + "&event=t"))
        while seen == 20, MonotonicTime.now().since(changed) < .seconds(30) {
            seen = try count(service.get(question + "&event=t"))
        }
        #expect(seen == 21)
        #expect(MonotonicTime.now().since(changed) < .seconds(2) * slowness)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `the parameter cache says what the cache may do`() throws {
        let service = try RunningService.start()
        try store(service)
        let only = try service.get(question + "&cache=only")
        #expect(only.status == 504 && only.text.contains(#""code":"not_cached""#))
        #expect(status(try service.get(question + "&cache=bypass")) == "memory; fwd=bypass")
        #expect(try service.get(question + "&cache=only").status == 504)
        #expect(
            status(try service.get(question + "&cache=refresh"))
                == "memory; fwd=request; stored")
        #expect(status(try service.get(question + "&cache=only")).hasPrefix("memory; hit"))
        #expect(
            status(try service.get(question, headers: ["Cache-Control": "only-if-cached"]))
                .hasPrefix("memory; hit"))
        #expect(
            status(try service.get(question, headers: ["Cache-Control": "no-store"]))
                == "memory; fwd=bypass")
        let plan = try service.get(question + "&explain=1")
        #expect(status(plan) == "memory; fwd=bypass" && plan.header("ETag") == nil)
        // A wrong question is wrong each time, and costs no more than a look.
        for _ in 0..<3 {
            #expect(try service.get(question + "&interval=1d&tz=Nowhere").status == 400)
        }
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `an answer that the client has is not sent again`() throws {
        let service = try RunningService.start()
        try store(service, count: 500)
        let groups = question + "&group_by=n"
        let plain = try service.get(groups)
        let packed = try service.get(groups, headers: ["Accept-Encoding": "gzip"])
        let (tag, packedTag) = (
            try #require(plain.header("ETag")), try #require(packed.header("ETag"))
        )
        #expect(packed.header("Content-Encoding") == "gzip" && tag != packedTag)
        #expect(packed.body.count < plain.body.count / 2)
        #expect(plain.header("Vary") == "Accept, Accept-Encoding, Authorization")
        for known in [tag, "W/\(tag)", #""x", \#(tag)"#, "*"] {
            let reply = try service.get(groups, headers: ["If-None-Match": known])
            #expect(reply.status == 304 && reply.body.isEmpty, "\(known)")
            #expect(reply.header("ETag") == tag && reply.header("Vary") != nil)
            #expect(reply.header("Cache-Control")?.hasPrefix("private") == true)
        }
        #expect(try service.get(groups, headers: ["If-None-Match": packedTag]).status == 200)
        try store(service)
        let changed = try service.get(
            groups + "&max_stale=0", headers: ["If-None-Match": tag])
        #expect(changed.status == 200 && changed.header("ETag") != tag)
        #expect(changed.header("Cache-Control") == "private, no-cache")
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `an operator has answers forgotten, all or those about a type`() throws {
        let service = try RunningService.start()
        try store(service)
        func ask(_ rest: String) throws -> Bool {
            status(try service.get(question + rest)).hasPrefix("memory; hit")
        }
        func purge(_ rest: String) throws -> Int? {
            try service.request("DELETE", "/admin/cache" + rest).json()["removed"]?.integer
        }
        for rest in ["&event=t", "&event=u", ""] { #expect(try !ask(rest)) }
        #expect(try purge("?tag=t") == 2)
        #expect(try ask("&event=u"))
        #expect(try !ask("&event=t"))
        #expect(try !ask(""))
        #expect(try purge("") == 3)
        #expect(try !ask("&event=u"))
        #expect(try service.request("DELETE", "/admin/cache?tag=").status == 400)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `while events arrive, strict answers are those that are computed`() throws {
        let service = try RunningService.start()
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        var stored = ["a": 0, "b": 0, "c": 0]
        for _ in 0..<150 {
            if Int.random(in: 0..<3, using: &random) == 0 {
                let type = ["a", "b", "c"].randomElement(using: &random) ?? "a"
                let count = Int.random(in: 1...4, using: &random)
                try store(service, type: type, count: count)
                stored[type, default: 0] += count
            }
            let type = [nil, "a", "b", "a,c"].randomElement(using: &random) ?? nil
            let form =
                ["", "&group_by=type", "&interval=1d", "&format=csv"]
                .randomElement(using: &random) ?? ""
            let asked = question + (type.map { "&event=\($0)" } ?? "") + form
            let cached = try service.get(asked + "&max_stale=0")
            let computed = try service.get(asked + "&cache=bypass")
            #expect(cached.text == computed.text, "\(asked): \(status(cached))")
            guard form.isEmpty else { continue }
            let total = stored.filter { type?.contains($0.key) ?? true }.values.reduce(0, +)
            #expect(try count(cached) == total)
        }
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `nodes that hold the same events share answers and purges through Redis`() throws {
        let redis = try RedisServer()
        let nodes = try ["n1", "n2"].map { name in
            try RunningService.start(["--cache-redis-url", redis.url, "--node", name])
        }
        let lines = (0..<5000).map {
            #"{"type":"t","source":"/s","id":"\#($0)","n":\#($0 % 900),"time":"2026-01-01T00:00:00Z"}"#
        }
        for node in nodes {
            #expect(try node.post("/events?ack=stored", lines: lines).status == 200)
            try node.wait(until: "the cache's Redis is seen") {
                try node.status("cache", "redis", "server", "version") != nil
            }
        }
        let asked = question + "&group_by=n&max_stale=0"
        let first = try nodes[0].get(asked)
        try nodes[0].wait(until: "the answer is shared") {
            try nodes[0].status("cache", "redis", "writes")?.integer ?? 0 > 0
        }
        let second = try nodes[1].get(asked)
        #expect(status(second).hasPrefix("redis; hit; ttl="), "\(status(second))")
        #expect(second.text == first.text && second.header("ETag") == first.header("ETag"))
        #expect(status(try nodes[1].get(asked)).hasPrefix("memory; hit"))
        let metrics = try PrometheusText(try nodes[1].get("/metrics").text).families
        #expect(
            metrics["millrace_cache_redis_reads_total"]?.samples[
                #"millrace_cache_redis_reads_total{result="hits"}"#] == 1)
        // The first question missed memory, the second one did not.
        try nodes[1].wait(until: "the ratio is sampled") {
            try nodes[1].get("/metrics").text.contains(#"millrace_cache_hit_ratio{window="60m"}"#)
        }
        // What only one of them holds is in its own answers alone.
        try store(nodes[1])
        #expect(try nodes[1].get(question + "&max_stale=0").text.contains("[[5001]]"))
        #expect(try nodes[0].get(question + "&max_stale=0").text.contains("[[5000]]"))
        #expect(try nodes[0].request("DELETE", "/admin/cache").status == 200)
        try nodes[1].wait(until: "the purge has come") {
            try nodes[1].status("cache", "memory", "entries")?.integer == 0
        }
        redis.kill()
        #expect(try nodes[0].get(question + "&max_stale=0").text.contains("[[5000]]"))
        for node in nodes { #expect(try node.terminate() == .exited(0)) }
    }
}
