import Primitives
import Redis
import Telemetry
internal import Synchronization

/// Purges on their way between nodes.
///
/// They are entries of a stream, which each node reads from where it was: unlike messages of
/// Pub/Sub, they are still there after a connection was lost (decision record on purges). Each has
/// the count that Redis keeps of all purges. Where a count is skipped, or is another one than the
/// last that was read while nothing more is to be read, something was lost, and everything is
/// purged here.
///
/// A purge that is on its way to Redis has set no fence there yet, so what it purges can still be read
/// from Redis: nothing is read while `hasUnsent`.
final class PurgeFeed: Sendable {
    private struct State {
        /// To be told to Redis, the oldest first. Each leaves once its script has returned.
        var outgoing: [CachePurge] = []
        var isClosed = false
    }

    private let redis: GuardedRedis
    /// Tells entries of this process from others'. Not the name of the node: two processes that have
    /// the same one purge for each other.
    private let run = String(UInt64.random(in: 0 ... .max), radix: 36)
    private let log: Logger
    private let state = Monitor(State())
    private let reader = ThreadSlot()
    private let writer = ThreadSlot()
    private let known = Atomic<UInt64>(0)
    /// Whether `outgoing` has entries; changed with it.
    private let unsent = Atomic<Bool>(false)
    private let begun = Atomic<Bool>(false)
    /// A count whose entry was not there when it was seen first.
    private let suspected = Atomic<UInt64>(0)
    private let handler: Locked<PurgeHandler?> = Locked(nil)

    /// A read waits for entries at most so long, and the count is compared after it.
    private static let block = Duration.seconds(1)
    private static let pause = Duration.milliseconds(250)
    /// More purges than this that wait for Redis become one of everything.
    private static let outgoingLimit = 256
    private static let readCount = 256

    init(_ redis: GuardedRedis, log: Logger) {
        self.redis = redis
        self.log = log
    }

    /// Purges that this node knows of; 0 before the first contact.
    var count: UInt64 { known.load(ordering: .acquiring) }

    /// Whether later purges will be seen.
    var hasBegun: Bool { begun.load(ordering: .acquiring) }

    /// A purge of this process is not in Redis yet.
    var hasUnsent: Bool { unsent.load(ordering: .acquiring) }

    /// Waits until Redis has all purges of this process.
    /// - Returns: whether it has.
    func waitUntilSent(_ deadline: Deadline) -> Bool {
        state.wait(until: deadline, for: { $0.outgoing.isEmpty || $0.isClosed }) {
            $0.outgoing.isEmpty
        } ?? false
    }

    func onPurge(_ handler: @escaping @Sendable (CachePurge) -> Void) {
        self.handler.withLock { $0 = PurgeHandler(handler) }
    }

    func start() {
        reader.start(name: "cache-purges") { [self] in read() }
        writer.start(name: "cache-purger") { [self] in write() }
    }

    func stop() {
        state.change { $0.isClosed = true }
        reader.join()
        writer.join()
    }

    func publish(_ purge: CachePurge) {
        state.change { state in
            if state.outgoing.count < PurgeFeed.outgoingLimit {
                state.outgoing.append(purge)
            } else {
                // The first may be on its way, and what leaves then is the first.
                state.outgoing = [state.outgoing[0], .all]
            }
            unsent.store(true, ordering: .releasing)
        }
    }

    // MARK: Writing

    private func write() {
        while true {
            let next = state.wait(for: { !$0.outgoing.isEmpty || $0.isClosed }) { state in
                state.isClosed ? nil : state.outgoing.first
            }
            guard let purge = next ?? nil else { return }
            if send(purge) {
                state.change { state in
                    state.outgoing.removeFirst()
                    unsent.store(!state.outgoing.isEmpty, ordering: .releasing)
                }
            } else if waitForStop() {
                return
            }
        }
    }

    private func send(_ purge: CachePurge) -> Bool {
        var pipeline = RedisPipeline()
        switch purge {
        case .all:
            SharedScripts.purge(
                fence: "all", kind: "all", argument: "", run: run, into: &pipeline)
        case .tag(let name):
            SharedScripts.purge(
                fence: SharedKeys.fence(tag: CacheContent.tag(name)), kind: "tag",
                argument: name, run: run, into: &pipeline)
        case .key(let key):
            var text = ByteBuffer(capacity: key.count * 2)
            for byte in key.span { text.append(hex: UInt64(byte), digits: 2) }
            SharedScripts.purge(
                fence: SharedKeys(key: key.span, tags: []).fences[1], kind: "key",
                argument: text.text, run: run, into: &pipeline)
        }
        do throws(RedisError) {
            try redis.call(.cache, within: GuardedRedis.requestLimit) {
                session throws(RedisError) in _ = try session.single(pipeline)
            }
            return true
        } catch {
            log.debug("purge not sent yet") { $0.add("error", error) }
            return false
        }
    }

    // MARK: Reading

    private func read() {
        var lastID: String?
        while true {
            do throws(RedisError) {
                if let id = lastID {
                    lastID = try readEntries(after: id)
                } else {
                    lastID = try begin()
                    begun.store(true, ordering: .releasing)
                }
                if state.withLock({ $0.isClosed }) { return }
            } catch {
                // The place stays: what came meanwhile is read then.
                if waitForStop() { return }
            }
        }
    }

    /// The newest entry's id and the count, at first contact.
    private func begin() throws(RedisError) -> String {
        var pipeline = RedisPipeline()
        // The place first: an entry between the two is then read, and not skipped.
        pipeline.command("XREVRANGE", SharedKeys.purges, "+", "-", "COUNT", "1")
        pipeline.command("GET", SharedKeys.count)
        let (id, count) = try redis.call(.cache, within: GuardedRedis.requestLimit) {
            session throws(RedisError) -> (String, UInt64) in
            let replies = try session.send(pipeline)
            let id = replies[0]?.elements.first?.elements.first?.string ?? "0-0"
            return (id, UInt64(clamping: replies[1]?.integer ?? 0))
        }
        // What this node has kept from before it could read is of no known age.
        known.store(count, ordering: .releasing)
        apply(.all)
        return id
    }

    private struct Entry {
        var id: String
        var count: UInt64
        var kind: String
        var argument: String
        var run: String
    }

    private func readEntries(after id: String) throws(RedisError) -> String? {
        var pipeline = RedisPipeline()
        pipeline.command(
            "XREAD", "COUNT", String(PurgeFeed.readCount), "BLOCK",
            String(PurgeFeed.block.wholeMilliseconds), "STREAMS", SharedKeys.purges, id)
        let entries = try redis.call(
            .cache, within: GuardedRedis.requestLimit, waitAllowance: PurgeFeed.block
        ) { session throws(RedisError) -> [Entry] in
            let reply = try session.single(pipeline)
            return (reply.elements.first?.elements[1]?.elements).map(PurgeFeed.entries) ?? []
        }
        for entry in entries { take(entry) }
        if entries.isEmpty { try compareCount() }
        return entries.last?.id ?? id
    }

    private static func entries(_ replies: RedisReplies) -> [Entry] {
        replies.compactMap { reply in
            guard let id = reply.elements[0]?.string, let fields = reply.elements[1]?.elements
            else { return nil }
            let texts = fields.map { $0.string ?? "" }
            guard texts.count == 8, let count = UInt64(texts[1]) else {
                return Entry(id: id, count: 0, kind: "", argument: "", run: "")
            }
            return Entry(
                id: id, count: count, kind: texts[3], argument: texts[5], run: texts[7])
        }
    }

    private func take(_ entry: Entry) {
        let before = known.load(ordering: .acquiring)
        // Read before the first contact's count was.
        if entry.count != 0, entry.count <= before { return }
        // Counted first: what is read from now on is newer than this purge.
        known.store(max(entry.count, before), ordering: .releasing)
        let isNext = entry.count == before + 1 || before == 0
        let purge = PurgeFeed.purge(entry)
        guard isNext, let purge else {
            log.notice("purges of other nodes were missed") {
                $0.add("count", Int64(clamping: entry.count))
            }
            return apply(.all)
        }
        if entry.run != run { apply(purge) }
    }

    private static func purge(_ entry: Entry) -> CachePurge? {
        switch entry.kind {
        case "all": return .all
        case "tag": return .tag(entry.argument)
        case "key":
            let digits = Array(entry.argument.utf8)
            let bytes = stride(from: 0, to: digits.count - 1, by: 2).map { place in
                UInt8(String(decoding: digits[place...place + 1], as: UTF8.self), radix: 16) ?? 0
            }
            return .key(Bytes(bytes))
        default: return nil
        }
    }

    private func compareCount() throws(RedisError) {
        var pipeline = RedisPipeline()
        pipeline.command("GET", SharedKeys.count)
        let count = try redis.call(.cache, within: GuardedRedis.requestLimit) {
            session throws(RedisError) in
            UInt64(clamping: try session.single(pipeline).integer ?? 0)
        }
        let before = known.load(ordering: .acquiring)
        if count == before { return }
        // One more may have come just now; it is read next, or else it was lost.
        if count == before + 1, suspected.exchange(count, ordering: .relaxed) != count { return }
        log.notice("the count of purges is another one") { $0.add("count", Int64(clamping: count)) }
        known.store(count, ordering: .releasing)
        apply(.all)
    }

    private func apply(_ purge: CachePurge) {
        let handler = handler.withLock { $0 }
        handler?.body(purge)
    }

    /// Waits a little after a failure.
    /// - Returns: whether it is time to end.
    private func waitForStop() -> Bool {
        state.wait(until: .after(PurgeFeed.pause), for: { $0.isClosed }, then: { _ in true })
            ?? false
    }
}

/// A function in a lock is wrapped once more at each access, so it lies in an object.
private final class PurgeHandler: Sendable {
    let body: @Sendable (CachePurge) -> Void

    init(_ body: @escaping @Sendable (CachePurge) -> Void) { self.body = body }
}
