import Cache
import Primitives
import Redis
import Resilience
import Streams

/// What `GET /status` tells of Redis, the streams and the cache.
struct RedisReport: Sendable {
    let clients: RedisClients

    /// The members `breakers` and `stream`.
    func add(to body: inout JSONObjectWriter) {
        body.object("breakers") { breakers in
            for lane in clients.lanes {
                breakers.object(lane.lane.rawValue) { RedisReport.add(lane, to: &$0) }
            }
        }
        if let streams = clients.streams { body.object("stream") { add(streams, to: &$0) } }
    }

    /// The Redis of the cache, and what became of reads and writes there.
    static func add(_ cache: CacheRedis, _ tier: RedisTier?, to body: inout JSONObjectWriter) {
        body.add("url", cache.redis.url.description)
        body.add("dedicated", cache.isDedicated)
        if let counters = tier?.counters {
            body.add("hits", counters.hits.count)
            body.add("misses", counters.misses.count)
            body.add("skipped", counters.skipped.count)
            body.add("damaged", counters.damaged.count)
            body.add("writes", counters.writes.count)
            body.add("writes_outdated", counters.writesOutdated.count)
            body.add("writes_skipped", counters.writesSkipped.count)
            body.add("writes_dropped", counters.writesDropped.count)
            body.add("writes_refused", counters.writesRefused.count)
            body.add("failures", counters.failures.count)
            body.add("mean_call_seconds", counters.callTime.snapshot.meanSeconds)
        }
        guard let facts = cache.facts else { return }
        body.object("server") { body in
            add(facts, to: &body)
            body.add("warnings", cache.warnings(of: facts))
        }
    }

    /// The breaker of a lane: also what `PUT /admin/breakers/{name}` answers.
    static func add(_ lane: RedisLaneStatus, to body: inout JSONObjectWriter) {
        add(lane.breaker, to: &body)
        body.add("failures", lane.failureCount)
        if let error = lane.lastError { body.add("last_error", error.description) }
        body.add("idle_connections", lane.idleConnections)
        body.add("busy_connections", lane.lentConnections)
    }

    /// What every breaker has.
    static func add(_ breaker: BreakerSnapshot, to body: inout JSONObjectWriter) {
        body.add("state", breaker.mode.rawValue)
        body.add("failure_rate", breaker.failureRate)
        body.add("slow_rate", breaker.slowRate)
        body.add("calls", breaker.callCount)
        body.add("reason", breaker.reason.rawValue)
        body.add("changed_seconds_ago", MonotonicTime.now().since(breaker.changedAt).inSeconds)
        body.add("opened", breaker.openedCount)
        body.add("refused", breaker.refusedCount)
    }

    private func add(_ streams: EventStreams, to body: inout JSONObjectWriter) {
        let status = streams.trimmer.status
        let (forwarder, consumer) = (streams.forwarder, streams.consumer)
        body.add("mode", streams.isDegraded ? "degraded" : "streaming")
        body.add("redis", streams.redis.url.description)
        body.add("node", streams.options.node)
        body.add("group", streams.options.group)
        body.add("encoding", streams.options.encoding.rawValue)
        body.add("length", status.length)
        if let lag = status.lag { body.add("lag", lag) } else { body.addNull("lag") }
        body.add("pending", status.pending)
        body.array("partitions", of: status.partitions) { body, partition in
            body.add("key", partition.key)
            body.add("length", partition.length)
            if let lag = partition.lag { body.add("lag", lag) } else { body.addNull("lag") }
            body.add("pending", partition.pending)
            body.add("groups", partition.groups)
            body.add("bytes", partition.bytes)
        }
        body.object("forwarder") { body in
            body.add("position", forwarder.position)
            body.add("unforwarded", streams.unforwarded)
            body.add("forwarded", forwarder.forwarded.count)
            body.add("gaps", forwarder.gaps)
            body.add("losses", forwarder.losses.count)
            body.add("failures", forwarder.failures)
            if let error = forwarder.error { body.add("error", error) }
        }
        body.object("consumer") { body in
            body.add("read", consumer.read.count)
            body.add("redelivered", consumer.redelivered.count)
            body.add("claimed", consumer.claimed.count)
            body.add("lost", consumer.lost.count)
            body.add("unreadable", consumer.unreadable.count)
            body.add("failures", consumer.failures)
            if let error = consumer.error { body.add("error", error) }
        }
        body.add("trimmed", streams.trimmer.trimmed.count)
        body.add("cut_unread", streams.trimmer.cut.count)
        addServer(status, to: &body)
    }

    private func addServer(_ status: StreamStatus, to body: inout JSONObjectWriter) {
        guard let facts = status.facts else { return }
        body.object("server") { body in
            RedisReport.add(facts, to: &body)
            body.add("warnings", facts.warnings + status.conflicts)
        }
    }

    private static func add(_ facts: RedisServerFacts, to body: inout JSONObjectWriter) {
        if let version = facts.version { body.add("version", version) }
        if let role = facts.role { body.add("role", role) }
        if let policy = facts.maxMemoryPolicy { body.add("maxmemory_policy", policy) }
        if let isAppendOnly = facts.isAppendOnly { body.add("appendonly", isAppendOnly) }
        if let appendFsync = facts.appendFsync { body.add("appendfsync", appendFsync) }
    }
}
