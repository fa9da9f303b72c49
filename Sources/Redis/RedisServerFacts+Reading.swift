import Primitives

extension GuardedRedis {
    /// Asks the server what it is and how it is set up, in one round trip.
    package func readFacts(
        _ lane: RedisLane, deadline: Deadline
    ) throws(RedisError) -> RedisServerFacts {
        try call(lane, deadline: deadline, isQuestion: true) { session throws(RedisError) in
            var pipeline = RedisPipeline()
            pipeline.command("INFO", "server")
            pipeline.command("INFO", "replication")
            pipeline.command("ROLE")
            // One name each: only Redis 7 takes several.
            pipeline.command("CONFIG", "GET", "maxmemory")
            pipeline.command("CONFIG", "GET", "maxmemory-policy")
            pipeline.command("CONFIG", "GET", "appendonly")
            pipeline.command("CONFIG", "GET", "appendfsync")
            pipeline.command("CONFIG", "GET", "save")
            var facts = RedisServerFacts()
            for reply in try session.send(pipeline) { facts.read(reply) }
            return facts
        }
    }
}

extension RedisServerFacts {
    /// Takes what a reply says, whichever of the questions it answers. Refusals leave the fact nil.
    fileprivate mutating func read(_ reply: RedisReply) {
        guard reply.kind == .array else {
            if let bytes = reply.bytes, reply.kind == .string { readInfo(bytes) }
            return
        }
        guard let first = reply.elements.first, let name = first.string else { return }
        guard reply.elements.count == 2, let value = reply.elements[1]?.string else {
            role = name
            return
        }
        switch name {
        case "maxmemory": maxMemoryBytes = Int64(value)
        case "maxmemory-policy": maxMemoryPolicy = value
        case "appendonly": isAppendOnly = value == "yes"
        case "appendfsync": appendFsync = value
        case "save": saveRule = value
        default: role = name  // A sentinel's ROLE has two elements too.
        }
    }

    /// `name:value` lines (redis.io/commands/info).
    private mutating func readInfo(_ text: UnsafeRawBufferPointer) {
        for line in text.split(whereSeparator: { $0 == 0x0D || $0 == 0x0A }) {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
            let value = String(decoding: line[(colon + 1)...], as: UTF8.self)
            switch String(decoding: line[..<colon], as: UTF8.self) {
            case "redis_version": version = value
            case "run_id": runID = value
            case "master_replid": replicationID = value
            default: break
            }
        }
    }
}
