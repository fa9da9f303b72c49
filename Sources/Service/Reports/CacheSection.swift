import Cache
import Primitives
import Query
import Telemetry

/// The answers that are kept, and what became of questions.
struct CacheSection: ReportSection {
    let cache: AnswerCache
    let redis: CacheRedis?
    /// Buckets that answers with an interval were put together from.
    let buckets: BucketCounters

    private static let ratioMinutes: [Int64] = [1, 10, 60]

    func add(to status: inout JSONObjectWriter) {
        status.object("cache") { body in
            body.object("memory") { addMemory(&$0) }
            addQuestions(&body)
            body.object("buckets") { counts in
                counts.add("kept", buckets.kept.count)
                counts.add("computed", buckets.computed.count)
            }
            if let redis {
                body.object("redis") { RedisReport.add(redis, cache.shared, to: &$0) }
            }
        }
    }

    private func addMemory(_ body: inout JSONObjectWriter) {
        let counts = cache.memory.counts
        body.add("max_bytes", cache.memory.capacity)
        body.add("bytes", counts.weight)
        body.add("entries", counts.entries)
        body.add("evicted", counts.evicted)
        body.add("expired", counts.expired)
        body.add("purged", counts.purged)
    }

    private func addQuestions(_ body: inout JSONObjectWriter) {
        let counters = cache.counters
        for (name, counter) in questions { body.add(name, counter.count) }
        body.add("stale_on_error", counters.errorFallbacks.count)
        body.add("collapsed", counters.collapsed.count)
        body.add("computed", counters.computed.count)
        body.add("failures", counters.failures.count)
        body.add("refreshes", counters.refreshes.count)
        body.add("refused", counters.refused.count)
        body.add("overdue", counters.overdueFlights.count)
        body.add("mean_load_seconds", counters.loadTime.snapshot.meanSeconds)
        let now = MonotonicTime.now()
        body.object("hit_ratio") { ratios in
            for minutes in CacheSection.ratioMinutes {
                let name = "\(minutes)m"
                if let ratio = cache.ratios.ratio(minutes: minutes, at: now) {
                    ratios.add(name, ratio)
                } else {
                    ratios.addNull(name)
                }
            }
        }
    }

    /// What a question can come to; each is counted once.
    private var questions: [(String, Counter)] {
        let counters = cache.counters
        return [("hits", counters.hits), ("stale", counters.stale), ("misses", counters.misses)]
    }

    func add(to metrics: inout MetricsText) {
        let (counters, counts) = (cache.counters, cache.memory.counts)
        let requests = "millrace_cache_requests_total"
        metrics.family(requests, .counter, "Questions to the memory tier, by what it had.")
        for (name, counter) in questions {
            metrics.sample(requests, ["result": name], counter.count)
        }
        metrics.counter(
            "millrace_cache_collapsed_total", "Misses that waited for another question's answer.",
            counters.collapsed.count)
        metrics.counter(
            "millrace_cache_stale_on_error_total", "Old answers given because computing failed.",
            counters.errorFallbacks.count)
        metrics.counter(
            "millrace_cache_refreshes_total", "Answers computed anew while the old one served.",
            counters.refreshes.count)
        metrics.counter(
            "millrace_cache_refused_total", "Answers too large, or too cheap, to keep.",
            counters.refused.count)
        metrics.counter(
            "millrace_cache_evictions_total", "Answers that had to make room.",
            UInt64(clamping: counts.evicted))
        let parts = "millrace_cache_buckets_total"
        metrics.family(
            parts, .counter, "Buckets of time in answers, by whether they were kept or computed.")
        metrics.sample(parts, ["source": "kept"], buckets.kept.count)
        metrics.sample(parts, ["source": "computed"], buckets.computed.count)
        metrics.gauge("millrace_cache_memory_bytes", "Memory that answers take.", counts.weight)
        metrics.gauge("millrace_cache_memory_entries", "Answers in memory.", counts.entries)
        let load = "millrace_cache_load_duration_seconds"
        metrics.family(load, .histogram, "Time to compute an answer, waiting included.")
        metrics.sample(load, [:], counters.loadTime.snapshot)
        addRatios(to: &metrics)
        if let shared = cache.shared { addRedis(shared.counters, to: &metrics) }
    }

    private func addRatios(to metrics: inout MetricsText) {
        let now = MonotonicTime.now()
        let ratios = CacheSection.ratioMinutes.compactMap { minutes in
            cache.ratios.ratio(minutes: minutes, at: now).map { (minutes, $0) }
        }
        guard !ratios.isEmpty else { return }
        let name = "millrace_cache_hit_ratio"
        metrics.family(name, .gauge, "Answered from memory of those asked in the last minutes.")
        for (minutes, ratio) in ratios { metrics.sample(name, ["window": "\(minutes)m"], ratio) }
    }

    private func addRedis(_ counters: RedisTierCounters, to metrics: inout MetricsText) {
        metrics.counter(
            "millrace_cache_redis_hits_total", "Misses that Redis answered.",
            cache.counters.redisHits.count)
        let reads = "millrace_cache_redis_reads_total"
        metrics.family(reads, .counter, "Looks for an answer in Redis, by what came of them.")
        for (result, counter) in [
            ("hits", counters.hits), ("misses", counters.misses), ("damaged", counters.damaged),
            ("skipped", counters.skipped),
        ] { metrics.sample(reads, ["result": result], counter.count) }
        let writes = "millrace_cache_redis_writes_total"
        metrics.family(writes, .counter, "Answers for other nodes, by what came of them.")
        for (result, counter) in [
            ("stored", counters.writes), ("outdated", counters.writesOutdated),
            ("skipped", counters.writesSkipped), ("dropped", counters.writesDropped),
            ("refused", counters.writesRefused),
        ] { metrics.sample(writes, ["result": result], counter.count) }
    }
}
