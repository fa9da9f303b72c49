import Primitives
import Telemetry

/// Answers to questions, from memory, from Redis, or computed once for all who ask.
///
///     let cache = AnswerCache(options, shared: redisTier, log: log)
///     if let reply = cache.hit(question, at: now) { … }          // on an event loop
///     cache.answer(question, compute: run) { result in … }       // never blocks either
///
/// - A hit costs a look into the memory tier and a comparison of generations.
/// - One flight computes a key at a time; it has its own deadline, and callers leave by theirs.
/// - An answer that a purge overtook is given to who waited for it and not kept.
/// - An answer from Redis counts only if its set hash is that of the data here.
///
/// Knows bytes, keys and tags; what a question means is its caller's affair. Any thread.
package final class AnswerCache: Sendable {
    package let memory: MemoryTier
    package let counters = CacheCounters()
    package let ratios = HitRatios()
    package let options: CacheOptions
    package let shared: RedisTier?
    let flights = FlightTable()
    private let thread = ThreadSlot()

    /// How often deadlines of flights are looked at, while there are flights.
    private static let tick = Duration.milliseconds(10)
    private static let idleTick = Duration.seconds(1)

    package init(_ options: CacheOptions, shared: RedisTier? = nil) {
        self.options = options
        self.shared = shared
        memory = MemoryTier(.bytes(options.memoryBytes))
        shared?.onPurge { [weak self] purge in self?.purgeHere(purge) }
    }

    package func start() {
        shared?.start()
        thread.start(name: "cache-care") { [self] in care() }
    }

    /// Whoever still waits is told that the cache is closed.
    package func stop() {
        for waiter in flights.close() { waiter.completion?(.failure(CacheFailure(.closed))) }
        thread.join()
        shared?.stop()
    }

    // MARK: Hits

    /// The answer, if memory has a usable one. Allocates nothing.
    /// - Returns: nil also if the caller wants no cached answer; then `answer` decides.
    package func hit(
        _ key: UnsafeRawBufferPointer, _ conditions: CacheConditions, _ present: PresentStamp?,
        version: DataVersion? = nil, at now: MonotonicTime
    ) -> CacheHit? {
        guard let entry = memory.get(key, at: now), entry.marker == nil else { return nil }
        let freshness = Freshness.judge(
            entry, conditions, present, version: version?.current ?? 0, at: now)
        switch freshness {
        case .fresh, .ending: counters.hits.add()
        case .stale: counters.stale.add()
        case .unusable: return nil
        }
        let wantsRefresh = freshness != .fresh && entry.claimRefresh(at: now)
        return CacheHit(
            entry: entry, isStale: freshness == .stale, wantsRefresh: wantsRefresh)
    }

    // MARK: Questions

    /// Answers by memory, by Redis or by `compute`; `completion` is called once, perhaps before
    /// this returns. Neither blocks.
    /// - Parameter afterMiss: `hit` has just been asked; asking again would count twice.
    package func answer(
        _ question: CacheQuestion, afterMiss: Bool = false, compute: @escaping CacheCompute,
        completion: @escaping CacheCompletion
    ) {
        let now = MonotonicTime.now()
        var waiter = FlightWaiter(
            question: question, arrivedAt: now, compute: compute, completion: completion,
            isLeader: true, fallback: nil)
        switch question.mode {
        case .bypass: return computeAlone(waiter, state: .bypass)
        case .refresh: return fly(waiter, known: nil, at: now)
        case .use, .only: break
        }
        if !afterMiss,
            let hit = hit(
                question.key.span, question.conditions, question.present,
                version: question.version, at: now)
        {
            completion(.success(CacheReply(hit.entry, .memory, hit.isStale ? .stale : .hit)))
            if hit.wantsRefresh { refresh(hit.entry, question, compute: compute, at: now) }
            return
        }
        let entry = memory.peek(question.key.span)
        counters.misses.add()
        if question.mode == .only { return completion(.failure(CacheFailure(.notCached))) }
        switch entry?.marker {
        case .failed?:
            if let entry, now < entry.freshUntil { return fail(waiter, remembered: entry) }
        case .notKept?:
            if let entry, now < entry.freshUntil { return computeAlone(waiter, state: .miss) }
        case nil:
            if let entry, now < entry.hardExpiry {
                waiter = waiter.with(fallback: entry)
            }
        }
        fly(waiter, known: entry?.marker == nil ? entry : nil, at: now)
    }

    /// Has a new answer computed that nobody waits for, instead of `entry`.
    package func refresh(
        _ entry: CacheEntry, _ question: CacheQuestion, compute: @escaping CacheCompute,
        at now: MonotonicTime
    ) {
        counters.refreshes.add()
        let waiter = FlightWaiter(
            question: question, arrivedAt: now, compute: compute, completion: nil,
            isLeader: true, fallback: nil)
        fly(waiter, known: entry, at: now)
    }

    // MARK: Purging

    /// Removes answers here, and on all nodes through Redis.
    /// - Returns: entries removed from this node's memory.
    @discardableResult
    package func purge(_ purge: CachePurge) -> Int {
        // First, so that no question reads what is purged from Redis again: nothing is read there from
        // now on until Redis has the purge. A read that is on its way is of a flight that began before,
        // and comes to nothing.
        shared?.publish(purge)
        return purgeHere(purge)
    }

    /// - Returns: entries removed from memory.
    @discardableResult
    func purgeHere(_ purge: CachePurge) -> Int {
        // First, so that no later question joins a flight that read before; and again, for a flight
        // that began meanwhile on an entry that is removed.
        flights.unlinkAll()
        defer { flights.unlinkAll() }
        counters.purges.add()
        return switch purge {
        case .key(let key): memory.purge(key: key.span) ? 1 : 0
        case .tag(let name): memory.purge(tag: CacheContent.tag(name))
        case .all: memory.purgeAll()
        }
    }

    // MARK: Care

    /// Deadlines of flights, expired entries, hit ratios.
    private func care() {
        var nextSweep = MonotonicTime.now() + AnswerCache.idleTick
        while !flights.isClosed {
            flights.waitForFlights(until: Deadline(nextSweep))
            let now = MonotonicTime.now()
            let late = flights.overdue(at: now)
            for waiter in late.waiters { leave(waiter) }
            for (flight, waiters) in late.flights { abandon(flight, waiters) }
            if now >= nextSweep {
                nextSweep = now + AnswerCache.idleTick
                memory.sweep(at: now)
                ratios.sample(
                    hits: counters.hits.count, stale: counters.stale.count,
                    misses: counters.misses.count, at: now)
            }
            if flights.count > 0 { sleep(until: .after(AnswerCache.tick)) }
        }
    }

    private func fail(_ waiter: FlightWaiter, remembered entry: CacheEntry) {
        counters.rememberedFailures.add()
        let failure = (entry.attachment as? RememberedFailure)?.failure
        waiter.completion?(.failure(failure ?? CacheFailure(.deterministic)))
    }
}

/// A usable entry, found in memory.
package struct CacheHit {
    package let entry: CacheEntry
    /// The data has changed since, or the lifetime is over, within what the caller accepts.
    package let isStale: Bool
    /// This caller is the one that should call `refresh`.
    package let wantsRefresh: Bool
}

/// What is to be removed.
package enum CachePurge: Sendable {
    case key(Bytes)
    case tag(String)
    case all
}

extension FlightWaiter {
    func with(fallback: CacheEntry) -> FlightWaiter {
        FlightWaiter(
            question: question, arrivedAt: arrivedAt, compute: compute, completion: completion,
            isLeader: isLeader, fallback: fallback, attempts: attempts)
    }

    /// For its next flight.
    func again() -> FlightWaiter {
        FlightWaiter(
            question: question, arrivedAt: arrivedAt, compute: compute, completion: completion,
            isLeader: true, fallback: fallback, attempts: attempts + 1)
    }
}
