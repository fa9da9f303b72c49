import EventCoding
import Primitives
import Redis
import Telemetry

/// The trimmer's thread and what belongs to it alone.
final class TrimmerRun {
    /// What one look found in one partition.
    struct Partition {
        var stream = StreamInfo()
        var groups: [StreamGroupInfo] = []
        /// The oldest entry that each group was given and has not acknowledged; same order.
        var firstPending: [StreamEntryID?] = []
        var bytes: Int64 = 0
    }

    let trimmer: StreamTrimmer
    var partitions: [Partition] = []
    var pipeline = RedisPipeline()
    /// When each group was there last, by partition.
    private(set) var groupsSeen: [[String: MonotonicTime]]
    private(set) var registry = GroupRegistry()
    /// This node's, as in `RedisLossDetector.Look`.
    private var mark: UInt64?
    /// Connections of the lane, when the server was last asked what it is.
    private var seenConnections: UInt64 = 0
    /// Redis's clock at the last look, in milliseconds since 1970; nil where it may not be asked.
    private(set) var redisTime: Int64?
    /// Why the memory of a stream may not be asked for; nil if it may.
    private(set) var memoryRefusal: String?
    var nextCensus: MonotonicTime = .now()
    var hasToldThatCapsFail = false
    var conflict = StreamConflict()
    static let callLimit = Duration.milliseconds(250)
    /// A node whose breaker is open for as long as it ever is, 38 s, makes its group again within.
    private static let absenceLimit = Duration.seconds(120)
    /// A group in the registry is renewed with each census, of which one may fail.
    private static let registryLimit = absenceLimit + longestCensusInterval
    /// Redis lost data a while ago, and not all groups may be there again.
    var isSettling: Bool {
        trimmer.lossDetector.lostAt.map {
            MonotonicTime.now().since($0) < TrimmerRun.absenceLimit
        } ?? false
    }

    init(_ trimmer: StreamTrimmer) {
        self.trimmer = trimmer
        groupsSeen = Array(repeating: [:], count: trimmer.keys.count)
    }

    func run() {
        var exactTrimsSeen = 0
        while true {
            // The lane's breaker and the other threads tell of what goes wrong; here it only means
            // that there is nothing new to show.
            do throws(RedisError) {
                try look()
                try trim()
                try takeCensus()
            } catch {
                trimmer.log.debug("streams not seen") { $0.add("error", error) }
            }
            let news = trimmer.state.wait(
                until: .after(StreamTrimmer.interval),
                for: { $0.isStopping || $0.exactTrimsWanted > exactTrimsSeen },
                then: { ($0.isStopping, $0.exactTrimsWanted) })
            guard let (isStopping, wanted) = news else { continue }
            if isStopping { return }
            // One that fails waits as long as every other look.
            exactTrimsSeen = wanted
        }
    }

    // MARK: Looking

    private func look() throws(RedisError) {
        let before = trimmer.lossDetector.current
        try readStreams()
        try readPending()
        rememberGroups()
        var look = RedisLossDetector.Look(partitions: trimmer.keys.count)
        look.runID = before.runID
        look.replicationID = before.replicationID
        look.mark = mark
        for (index, partition) in partitions.enumerated() {
            look.lastIDs[index] = partition.stream.lastID
            look.added[index] = partition.stream.added
        }
        // The forwarder finds out what it means when it sends next.
        let verdict = RedisLossDetector.verdict(look, after: before)
        if verdict != .same { trimmer.lossDetector.suspect() }
        if verdict == .lost { trimmer.lossDetector.noteLoss() }
        try readFacts()
        publish()
    }

    private func readStreams() throws(RedisError) {
        pipeline.removeAll()
        for key in trimmer.keys.names {
            pipeline.command("XINFO", "STREAM", key)
            pipeline.command("XINFO", "GROUPS", key)
            pipeline.command("MEMORY", "USAGE", key)
        }
        pipeline.command("HGET", trimmer.keys.mark, trimmer.options.node)
        pipeline.command("EXISTS", trimmer.keys.beyond)
        pipeline.command("TIME")
        GroupRegistry.addQuestion(trimmer.keys, to: &pipeline)
        var found = Array(repeating: Partition(), count: trimmer.keys.count)
        (mark, redisTime, memoryRefusal) = (nil, nil, nil)
        try trimmer.redis.call(
            .streams, within: TrimmerRun.callLimit, isQuestion: true
        ) { session throws(RedisError) in
            for (index, reply) in try session.send(pipeline).enumerated() {
                guard index < 3 * found.count else {
                    switch index - 3 * found.count {
                    case 0: mark = RedisLossDetector.mark(in: reply)
                    case 1: conflict.hasMorePartitions = reply.integer == 1
                    case 2: redisTime = reply.time
                    default: registry.found(reply, limit: TrimmerRun.registryLimit)
                    }
                    continue
                }
                // Without the stream there is an error of no class of its own, and nothing to see.
                if let error = reply.error {
                    guard error.code == .otherServer || error.code == .noPermission else {
                        throw error
                    }
                    if index % 3 == 2, error.code == .noPermission {
                        memoryRefusal = error.description
                    }
                    continue
                }
                switch index % 3 {
                case 0: found[index / 3].stream = StreamInfo(reply)
                case 1: found[index / 3].groups = StreamGroupInfo.all(reply)
                default: found[index / 3].bytes = reply.count
                }
            }
        }
        partitions = found
    }

    /// A group that was there a while ago and is not may have gone with Redis's data, and its node
    /// will make it again.
    private func rememberGroups() {
        let now = MonotonicTime.now()
        for (index, partition) in partitions.enumerated() {
            for group in partition.groups { groupsSeen[index][group.name] = now }
            groupsSeen[index] = groupsSeen[index].filter {
                now.since($0.value) < TrimmerRun.absenceLimit
            }
        }
    }

    private func readPending() throws(RedisError) {
        pipeline.removeAll()
        var places: [(partition: Int, group: Int)] = []
        for (index, partition) in partitions.enumerated() {
            partitions[index].firstPending = Array(repeating: nil, count: partition.groups.count)
            for (group, info) in partition.groups.enumerated() where info.pending > 0 {
                pipeline.command("XPENDING", trimmer.keys.names[index], info.name)
                places.append((index, group))
            }
        }
        guard !places.isEmpty else { return }
        try trimmer.redis.call(
            .streams, within: TrimmerRun.callLimit, isQuestion: true
        ) { session throws(RedisError) in
            for (place, reply) in zip(places, try session.send(pipeline)) {
                if let error = reply.error { throw error }
                let first = reply.elements[1]?.bytes.flatMap { StreamEntryID($0) }
                partitions[place.partition].firstPending[place.group] = first
            }
        }
    }

    /// At the first look, and after each new connection: another server may answer, or the same one
    /// set up in another way.
    private func readFacts() throws(RedisError) {
        guard seenConnections != trimmer.redis.connectionsMade(.streams) else { return }
        let facts = try trimmer.redis.readFacts(.streams, deadline: .after(TrimmerRun.callLimit))
        seenConnections = trimmer.redis.connectionsMade(.streams)
        guard facts != trimmer.status.facts else { return }
        trimmer.log.info("redis streams server") {
            $0.add("version", facts.version ?? "unknown")
            $0.add("role", facts.role ?? "unknown")
            $0.add("maxmemory_policy", facts.maxMemoryPolicy ?? "unknown")
            $0.add("appendonly", facts.isAppendOnly.map { $0 ? "yes" : "no" } ?? "unknown")
            $0.add("appendfsync", facts.appendFsync ?? "unknown")
        }
        for warning in facts.warnings {
            trimmer.log.warning("redis may lose events") { $0.add("reason", warning) }
        }
        trimmer.state.withLock { $0.status.facts = facts }
    }

    private func publish() {
        let shown = partitions.enumerated().map { index, partition in
            let own = partition.groups.first { $0.name == trimmer.options.group }
            return StreamStatus.Partition(
                key: trimmer.keys.names[index], length: partition.stream.length, lag: own?.lag,
                pending: own?.pending ?? 0, groups: partition.groups.count,
                bytes: partition.bytes)
        }
        let conflicts = conflict.sentences(trimmer.options)
        let told = trimmer.status.conflicts
        for sentence in conflicts where !told.contains(sentence) {
            trimmer.log.warning("nodes disagree") { $0.add("reason", sentence) }
        }
        trimmer.state.withLock { state in
            state.status.partitions = shown
            state.status.conflicts = conflicts
            state.status.seenAt = .now()
        }
    }
}
