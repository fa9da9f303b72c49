import Primitives
import Redis
import Telemetry
internal import Synchronization

/// Answers that nodes share through Redis. A thread of its own sends what waits as one pipeline;
/// nobody else waits for Redis, and when it is gone every question is a miss at once.
///
/// - A read takes at most `GuardedRedis.requestLimit`, waiting in the queue and for another node's
///   lease counted.
/// - A write never replaces a fresher answer, nor one that was purged after it was read.
/// - Every key has a time to live.
///
/// Any thread.
package final class RedisTier: Sendable {
    /// What a read came to.
    enum Finding: Sendable {
        case found(SharedAnswer)
        /// Nothing usable; computing it is this node's turn, or nobody answered in time.
        case missing
    }

    struct Read: Sendable {
        let key: Bytes
        let keys: SharedKeys
        /// The set hash that the data here has now; empty where time alone decides.
        let wanted: String
        let token: String
        let deadline: Deadline
        let completion: @Sendable (Finding) -> Void
        /// Next look, while another node has the lease.
        var dueAt = MonotonicTime(nanoseconds: 0)
        var pause = RedisTier.firstPause
    }

    struct Write: Sendable {
        let entry: CacheEntry
        let purgeCount: UInt64
        let token: String
    }

    enum Chore: Sendable {
        case write(Write)
        case release(SharedKeys, token: String)
    }

    private struct State {
        var reads: [Read] = []
        var chores: [Chore] = []
        var choreBytes = 0
        var isClosed = false
    }

    let redis: GuardedRedis
    let log: Logger
    package let counters = RedisTierCounters()
    private let state = Monitor(State())
    private let thread = ThreadSlot()
    let purges: PurgeFeed
    private let options: RedisTierOptions
    /// Until then no reads or writes are tried; nanoseconds.
    private let restUntil = Atomic<UInt64>(0)
    private let writesRestUntil = Atomic<UInt64>(0)

    /// Reads that may wait; at some 10,000 a second that is a tenth of one.
    private static let readLimit = 1024
    /// Of values that wait to be written, beside the entries themselves, which they keep alive.
    private static let choreByteLimit = 32 << 20
    private static let choreLimit = 4096
    private static let batchLimit = 128
    private static let batchBytes = 4 << 20
    /// Looks for another node's answer come 5, 10, 20, … ms apart.
    private static let firstPause = Duration.milliseconds(5)
    /// After a call that failed. The breaker needs several failures; a question should not. Within a
    /// second of the first one the prober has seen enough to open it, so of a Redis that hangs only
    /// the questions of the first 250 ms wait.
    private static let rest = Duration.seconds(1)
    /// A batch ends by the first deadline in it, and that ends the connection. So a read with less
    /// time than this left is not sent: it would be a failure for all the others.
    private static let leastTime = Duration.milliseconds(20)
    /// After Redis said that it is full.
    private static let fullRest = Duration.seconds(30)

    package init(
        _ redis: GuardedRedis, options: RedisTierOptions = RedisTierOptions(), log: Logger
    ) {
        self.redis = redis
        self.options = options
        self.log = log
        purges = PurgeFeed(redis, log: log)
    }

    /// `handler` is told of purges of other processes, before `start`; on the feed's thread.
    func onPurge(_ handler: @escaping @Sendable (CachePurge) -> Void) { purges.onPurge(handler) }

    func start() {
        thread.start(name: "cache-redis") { [self] in run() }
        purges.start()
    }

    func stop() {
        state.change { $0.isClosed = true }
        purges.stop()
        thread.join()
    }

    /// Purges so far, as far as is known here. Asked before the data is read.
    var purgeCount: UInt64 { purges.count }

    /// Tells all nodes; tried again until Redis has it.
    func publish(_ purge: CachePurge) { purges.publish(purge) }

    // MARK: For the flights

    /// Looks for an answer. `completion` is called once, on this tier's thread or at once.
    func read(
        key: Bytes, tags: [UInt64], wanted: GenerationStamp?, token: String, deadline: Deadline,
        completion: @escaping @Sendable (Finding) -> Void
    ) {
        let now = MonotonicTime.now()
        // What a purge of this process is about may still lie there without a fence.
        let isResting =
            now.nanoseconds < restUntil.load(ordering: .relaxed) || purges.hasUnsent
        let read = Read(
            key: key, keys: SharedKeys(key: key.span, tags: tags),
            wanted: wanted.map { SharedEntry.hash(of: $0) } ?? "", token: token,
            deadline: GuardedRedis.requestDeadline(within: deadline), completion: completion)
        let isQueued =
            !isResting
            && state.change { state in
                guard !state.isClosed, state.reads.count < RedisTier.readLimit else {
                    return false
                }
                state.reads.append(read)
                return true
            }
        if isQueued { return }
        counters.skipped.add()
        completion(.missing)
    }

    /// Stores an answer for the others, some time later.
    func store(_ entry: CacheEntry, purgeCount: UInt64, token: String) {
        let now = MonotonicTime.now()
        guard entry.cost >= options.leastCost, (entry.body?.count ?? 0) <= options.bodyLimitBytes,
            now.nanoseconds >= writesRestUntil.load(ordering: .relaxed)
        else { return release(entry, token) }
        add(
            .write(Write(entry: entry, purgeCount: purgeCount, token: token)),
            bytes: entry.weight)
    }

    /// Gives a lease back that came to nothing.
    func release(key: Bytes, tags: [UInt64], token: String) {
        add(.release(SharedKeys(key: key.span, tags: tags), token: token), bytes: 128)
    }

    private func release(_ entry: CacheEntry, _ token: String) {
        counters.writesSkipped.add()
        add(.release(SharedKeys(key: entry.key, tags: entry.tags), token: token), bytes: 128)
    }

    private func add(_ chore: Chore, bytes: Int) {
        if MonotonicTime.now().nanoseconds < restUntil.load(ordering: .relaxed) { return }
        let isKept = state.change { state in
            guard !state.isClosed, state.chores.count < RedisTier.choreLimit,
                state.choreBytes + bytes <= RedisTier.choreByteLimit
            else { return false }
            state.chores.append(chore)
            state.choreBytes += bytes
            return true
        }
        if !isKept { counters.writesDropped.add() }
    }

    // MARK: The thread

    private func run() {
        var waiting: [Read] = []
        var pipeline = RedisPipeline()
        while true {
            let nextLook = waiting.map(\.dueAt).min()
            let (reads, chores, isClosed) =
                state.wait(
                    until: nextLook.map { Deadline($0) } ?? .never,
                    for: { !$0.reads.isEmpty || !$0.chores.isEmpty || $0.isClosed },
                    then: RedisTier.take) ?? ([], [], false)
            if isClosed {
                for read in waiting + reads { read.completion(.missing) }
                return
            }
            waiting += reads
            let now = MonotonicTime.now()
            var due: [Read] = []
            var later: [Read] = []
            for read in waiting {
                if read.deadline.time <= now + RedisTier.leastTime {
                    counters.misses.add()
                    read.completion(.missing)
                } else if read.dueAt <= now, due.count < RedisTier.batchLimit {
                    due.append(read)
                } else {
                    later.append(read)
                }
            }
            waiting = later
            guard !due.isEmpty || !chores.isEmpty else { continue }
            waiting += exchange(due, chores, &pipeline)
        }
    }

    private static func take(_ state: inout State) -> ([Read], [Chore], Bool) {
        let count = min(state.chores.count, batchLimit)
        let chores = Array(state.chores[..<count])
        state.chores.removeFirst(count)
        if state.chores.isEmpty { state.choreBytes = 0 }
        defer { state.reads = [] }
        return (state.reads, chores, state.isClosed)
    }

    /// Sends reads and chores together.
    /// - Returns: reads that wait for another node.
    private func exchange(
        _ reads: [Read], _ chores: [Chore], _ pipeline: inout RedisPipeline
    ) -> [Read] {
        pipeline.removeAll()
        for read in reads {
            SharedScripts.read(
                read.keys, wanted: read.wanted, token: read.token,
                leaseMilliseconds: options.lease.wholeMilliseconds, into: &pipeline)
        }
        let sent = chores.prefix { write($0, into: &pipeline) }
        counters.writesDropped.add(chores.count - sent.count)
        let start = MonotonicTime.now()
        let deadline =
            reads.map(\.deadline).min() ?? Deadline(start + GuardedRedis.requestLimit)
        do throws(RedisError) {
            let again = try redis.call(.cache, deadline: deadline) {
                session throws(RedisError) -> [Read] in
                var replies = try session.send(pipeline)
                let again = finish(reads, &replies)
                finish(Array(sent), &replies)
                return again
            }
            counters.callTime.observe(MonotonicTime.now().since(start))
            return again
        } catch {
            restUntil.store((start + RedisTier.rest).nanoseconds, ordering: .relaxed)
            counters.failures.add()
            for read in reads { read.completion(.missing) }
            return []
        }
    }

    /// - Returns: false for what no longer fits into the batch.
    private func write(_ chore: Chore, into pipeline: inout RedisPipeline) -> Bool {
        guard pipeline.byteCount < RedisTier.batchBytes else { return false }
        switch chore {
        case .release(let keys, let token):
            SharedScripts.release(keys, token: token, into: &pipeline)
        case .write(let write):
            let entry = write.entry
            let (now, wallTime) = (MonotonicTime.now(), WallClock.nowMilliseconds())
            let computedAt = wallTime - now.since(entry.computedAt).wholeMilliseconds
            let keys = SharedKeys(key: entry.key, tags: entry.tags)
            let left = min(entry.hardExpiry.since(now), options.longestLife).wholeMilliseconds
            guard left > 0,
                let value = SharedEntry.encode(
                    entry, purgeCount: write.purgeCount, wallTime: wallTime, now: now)
            else {
                SharedScripts.release(keys, token: write.token, into: &pipeline)
                return true
            }
            var count = ByteBuffer(capacity: 16)
            count.append(digits: write.purgeCount, width: 16)
            SharedScripts.write(
                keys, value: value, purgeCount: count.text,
                order: SharedEntry.order(of: entry, computedAt: computedAt), milliseconds: left,
                token: write.token, into: &pipeline)
        }
        return true
    }

    private func finish(_ reads: [Read], _ replies: inout RedisReplies) -> [Read] {
        var again: [Read] = []
        for read in reads {
            let reply = replies.next()
            if let value = reply?.bytes, reply?.kind == .string {
                if let answer = SharedEntry.decode(
                    value, key: read.key.span, bodyLimit: options.bodyLimitBytes)
                {
                    counters.hits.add()
                    read.completion(.found(answer))
                    continue
                }
                counters.damaged.add()
            } else if reply?.integer == 0 {
                var next = read
                next.dueAt = .now() + read.pause
                next.pause = read.pause * 2
                if next.dueAt + RedisTier.leastTime < read.deadline.time {
                    again.append(next)
                    continue
                }
            }
            counters.misses.add()
            read.completion(.missing)
        }
        return again
    }

    private func finish(_ chores: [Chore], _ replies: inout RedisReplies) {
        for chore in chores {
            guard let reply = replies.next() else { return }
            guard case .write = chore else { continue }
            if reply.errorCode == .outOfMemory {
                writesRestUntil.store(
                    (MonotonicTime.now() + RedisTier.fullRest).nanoseconds, ordering: .relaxed)
                counters.writesRefused.add()
            } else if reply.integer == 1 {
                counters.writes.add()
            } else {
                counters.writesOutdated.add()
            }
        }
    }
}
