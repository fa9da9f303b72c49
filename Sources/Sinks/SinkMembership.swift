import Primitives
import Redis
import Telemetry

/// Which nodes share each sink at present, so that one of them reads each partition.
///
/// DESIGN. A node writes its name with Redis's time into a sorted set of the sink about once a
/// second and reads which others did lately. All sort the names and deal out the partitions in turn,
/// so nodes that see the same names agree without asking each other, and a partition's events go out
/// in their order. While names come or go two nodes may differ for a moment: who gets a partition
/// lets the other notice first. A node that cannot reach Redis stops reading before the others take
/// it for gone.
final class SinkMembership: Sendable {
    /// The nodes of one sink.
    private struct View {
        /// Sorted.
        var members: [String] = []
        /// Those before the last change; none after a while without a look.
        var previous: [String] = []
        var changedAt = MonotonicTime.now()
    }

    private struct State {
        var isStopping = false
        var views: [String: View] = [:]
        /// When the last look began that succeeded.
        var seenAt: MonotonicTime?
        /// Redis keeps no sets, for want of rights or of memory: every node reads everything, in
        /// whatever order.
        var isRefused = false

        func isValid(at now: MonotonicTime) -> Bool {
            seenAt.map { now.since($0) < SinkMembership.validity } ?? false
        }
    }

    private let redis: GuardedRedis
    private let node: String
    private let sinks: [String]
    private let log: Logger
    private let state = Monitor(State())
    private let thread = ThreadSlot()

    private static let interval = Duration.seconds(1)
    private static let callLimit = Duration.milliseconds(500)
    /// Who was silent for so long has gone: several looks, and two that failed in between.
    static let silence = Duration.seconds(6)
    /// A node believes what it saw for so long: it stops before the others call it silent.
    static let validity = Duration.seconds(4)
    /// What is new to a node was another's, which notices within a look.
    private static let courtesy = Duration.milliseconds(1500)
    /// A set that nobody writes any more.
    private static let keptMilliseconds = 3_600_000

    init(_ sinks: [String], redis: GuardedRedis, node: String, log: Logger) {
        self.sinks = sinks
        self.redis = redis
        self.node = node
        self.log = log
    }

    func start() {
        thread.start(name: "sink-members") { [self] in run() }
    }

    /// Ends the thread and tells the others, if Redis can be reached.
    func stop() {
        state.change { $0.isStopping = true }
        thread.join()
    }

    /// Whether this node reads what is new in a partition. Any thread.
    func isReader(of partition: Int, sink: String, now: MonotonicTime = .now()) -> Bool {
        state.withLock { state in
            if state.isRefused { return true }
            guard state.isValid(at: now), let view = state.views[sink] else { return false }
            // Differs from sink to sink, so that not every one has the same reader of its first
            // partition.
            let turn = partition + sink.utf8.reduce(0) { $0 + Int($1) }
            func isOwn(_ members: [String]) -> Bool {
                !members.isEmpty && members[turn % members.count] == node
            }
            return isOwn(view.members)
                && (isOwn(view.previous) || view.members.count == 1
                    || now.since(view.changedAt) >= SinkMembership.courtesy)
        }
    }

    /// The partitions of a sink that this node reads, of so many. Any thread.
    func partitions(of sink: String, count: Int) -> [Int] {
        (0..<count).filter { isReader(of: $0, sink: sink) }
    }

    static func key(_ sink: String) -> String { "millrace:{0}:sink:\(sink):nodes" }

    // MARK: The thread

    private func run() {
        while true {
            do throws(RedisError) { try look() } catch { failed(error) }
            let isStopping = state.wait(
                until: .after(SinkMembership.interval), for: { $0.isStopping }, then: { _ in true })
            if isStopping == true { break }
        }
        leave()
    }

    private func look() throws(RedisError) {
        let start = MonotonicTime.now()
        let time = try redisTime()
        let silence = SinkMembership.silence.wholeMilliseconds
        var pipeline = RedisPipeline()
        for sink in sinks {
            let key = SinkMembership.key(sink)
            pipeline.command("ZADD", key, "\(time)", node)
            // A clock that was set back leaves no names of the future behind.
            pipeline.command("ZRANGEBYSCORE", key, "\(time - silence)", "\(time + silence)")
            pipeline.command(
                "ZREMRANGEBYSCORE", key, "-inf",
                "\(time - Int64(SinkMembership.keptMilliseconds))")
            pipeline.command("PEXPIRE", key, "\(SinkMembership.keptMilliseconds)")
        }
        var found: [[String]] = []
        try redis.call(
            .sinks, within: SinkMembership.callLimit
        ) { session throws(RedisError) in
            for (index, reply) in try session.send(pipeline).enumerated() {
                if let error = reply.error { throw error }
                guard index % 4 == 1 else { continue }
                guard reply.kind == .array else { throw .unexpected("ZRANGEBYSCORE") }
                found.append(reply.elements.compactMap(\.string).sorted())
            }
        }
        take(found, seenAt: start)
    }

    private func take(_ found: [[String]], seenAt: MonotonicTime) {
        state.change { state in
            // Another may have taken this node for gone, and has yet to notice that it is not.
            let wasAway = state.seenAt != nil && !state.isValid(at: seenAt)
            state.seenAt = seenAt
            state.isRefused = false
            for (sink, members) in zip(sinks, found) {
                var view = state.views[sink] ?? View()
                guard wasAway || view.members != members else { continue }
                view.previous = wasAway ? [] : view.members
                view.members = members
                view.changedAt = .now()
                state.views[sink] = view
            }
        }
    }

    private func redisTime() throws(RedisError) -> Int64 {
        var pipeline = RedisPipeline()
        pipeline.command("TIME")
        return try redis.call(
            .sinks, within: SinkMembership.callLimit, isQuestion: true
        ) { session throws(RedisError) -> Int64 in
            let reply = try session.single(pipeline)
            if let error = reply.error { throw error }
            guard let time = reply.time else { throw .unexpected("TIME") }
            return time
        }
    }

    private func failed(_ error: RedisError) {
        let (isRefusal, isNews) = state.withLock { state in
            let isRefusal =
                switch error.code {
                case .noPermission, .otherServer: true
                // A full Redis keeps no set, and what the sinks read is what makes room in it.
                case .outOfMemory: !state.isValid(at: .now())
                default: false
                }
            defer { state.isRefused = state.isRefused || isRefusal }
            return (isRefusal, isRefusal && !state.isRefused)
        }
        guard isRefusal else {
            return log.debug("nodes of the sinks not seen") { $0.add("error", error) }
        }
        guard isNews else { return }
        log.error("nodes do not agree on the sinks' partitions; events may go out of their order") {
            $0.add("error", error)
        }
    }

    private func leave() {
        var pipeline = RedisPipeline()
        for sink in sinks { pipeline.command("ZREM", SinkMembership.key(sink), node) }
        do throws(RedisError) {
            try redis.call(.sinks, within: SinkMembership.callLimit) {
                session throws(RedisError) in _ = try session.send(pipeline)
            }
        } catch {
            log.debug("the others were not told that this node's sinks stop") {
                $0.add("error", error)
            }
        }
    }
}
