import Journal
import Primitives
import Redis
import Resilience
import Streams
import Telemetry

/// What `GET /metrics` tells of Redis and the streams.
struct RedisMetrics: Sendable {
    let clients: RedisClients

    func add(to text: inout MetricsText) {
        let lanes = clients.lanes
        if !lanes.isEmpty { addRedis(lanes, to: &text) }
        guard let streams = clients.streams else { return }
        addStreams(streams, to: &text)
        addCounters(streams, to: &text)
    }

    private func addRedis(_ lanes: [RedisLaneStatus], to text: inout MetricsText) {
        let duration = "db_client_operation_duration_seconds"
        text.family(duration, .histogram, "Duration of calls to Redis.")
        for lane in lanes {
            text.sample(
                duration, ["db_system_name": "redis", "millrace_lane": lane.lane.rawValue],
                lane.durations.snapshot)
        }
        text.breakers(
            "millrace_breaker_state", "1 for the state that a breaker is in.", "breaker",
            lanes.map { ($0.lane.rawValue, $0.breaker.mode) })
        each(lanes, "millrace_breaker_opened_total", "Times that a breaker opened.", &text) {
            $0.breaker.openedCount
        }
        each(lanes, "millrace_breaker_refused_total", "Calls that a breaker refused.", &text) {
            $0.breaker.refusedCount
        }
        each(lanes, "millrace_redis_failures_total", "Calls to Redis that failed.", &text) {
            $0.failureCount
        }
    }

    private func each(
        _ lanes: [RedisLaneStatus], _ name: String, _ help: String, _ text: inout MetricsText,
        _ value: (RedisLaneStatus) -> UInt64
    ) {
        text.family(name, .counter, help)
        for lane in lanes { text.sample(name, ["breaker": lane.lane.rawValue], value(lane)) }
    }

    private func addStreams(_ streams: EventStreams, to text: inout MetricsText) {
        let partitions = streams.trimmer.status.partitions
        gauges(partitions, "millrace_stream_length_entries", "Entries in a stream.", &text) {
            $0.length
        }
        gauges(
            partitions, "millrace_stream_pending_entries",
            "Entries that this node's group has not acknowledged.", &text
        ) { $0.pending }
        gauges(
            partitions, "millrace_stream_lag_entries",
            "Entries that this node's group has not been given.", &text
        ) { $0.lag }
        gauges(partitions, "millrace_stream_memory_bytes", "Memory of a stream.", &text) {
            $0.bytes
        }
        text.gauge(
            "millrace_stream_degraded",
            "1 while events go to Redis later, for it is away or too slow.",
            streams.isDegraded ? 1 : 0)
        text.gauge(
            "millrace_forwarder_position", "Last journal record that Redis acknowledged.",
            streams.forwarder.position)
        text.gauge(
            "millrace_forwarder_lag_records", "Journal records that Redis was not sent.",
            streams.unforwarded)
    }

    private func addCounters(_ streams: EventStreams, to text: inout MetricsText) {
        let (forwarder, consumer, trimmer) = (streams.forwarder, streams.consumer, streams.trimmer)
        let counters: [(name: String, help: String, value: UInt64)] = [
            ("forwarder_events", "Events that Redis acknowledged.", forwarder.forwarded.count),
            ("stream_losses", "Times that Redis had lost data.", forwarder.losses.count),
            ("stream_read_entries", "Entries read.", consumer.read.count),
            (
                "stream_redelivered_entries", "Entries read again after a failure.",
                consumer.redelivered.count
            ),
            (
                "stream_claimed_entries", "Entries taken over from other consumers.",
                consumer.claimed.count
            ),
            ("stream_lost_entries", "Pending entries that were gone.", consumer.lost.count),
            ("stream_unreadable_entries", "Entries without an event.", consumer.unreadable.count),
            (
                "stream_trimmed_entries", "Entries removed after all groups acknowledged them.",
                trimmer.trimmed.count
            ),
            ("stream_cut_entries", "Entries that a cap removed unread.", trimmer.cut.count),
        ]
        for counter in counters {
            text.counter("millrace_\(counter.name)_total", counter.help, counter.value)
        }
    }

    private func gauges(
        _ partitions: [StreamStatus.Partition], _ name: String, _ help: String,
        _ text: inout MetricsText, _ value: (StreamStatus.Partition) -> Int64?
    ) {
        text.family(name, .gauge, help)
        for partition in partitions {
            guard let value = value(partition) else { continue }
            text.sample(name, ["stream": partition.key], UInt64(clamping: value))
        }
    }
}
