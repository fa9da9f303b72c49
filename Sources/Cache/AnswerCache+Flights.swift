import Primitives

/// How a question that memory cannot answer is answered: Redis, then computing, once for all.
extension AnswerCache {
    /// Joins the key's flight or begins one.
    func fly(_ waiter: FlightWaiter, known: CacheEntry?, at now: MonotonicTime) {
        let isForced = waiter.question.mode == .refresh
        fly(
            [waiter], known: isForced ? nil : known, at: now, notBefore: isForced ? now : nil,
            asksRedis: !isForced)
    }

    /// - Parameters:
    ///   - waiters: with one key, at least one.
    ///   - notBefore: a flight that began earlier is of no use.
    private func fly(
        _ waiters: [FlightWaiter], known: CacheEntry?, at now: MonotonicTime,
        notBefore: MonotonicTime?, asksRedis: Bool
    ) {
        let joining = flights.join(waiters, notBefore: notBefore) { first in
            Flight(
                key: first.question.key,
                order: FlightOrder(deadline: .after(options.flightTimeout), known: known),
                startedAt: now, purgeEpoch: memory.purgeEpoch,
                sharedPurgeCount: shared?.purgeCount ?? 0, first: first)
        }
        let waiting = waiters.count { $0.completion != nil }
        switch joining {
        case .joined: counters.collapsed.add(waiting)
        case .closed:
            for waiter in waiters { waiter.completion?(.failure(CacheFailure(.closed))) }
        case .began(let flight):
            counters.collapsed.add(max(waiting - 1, 0))
            if waiting != 1 { flight.order.noteOthers() }
            if let shared, waiters[0].question.isShared, asksRedis {
                askRedis(flight, waiters[0], shared, at: now)
            } else {
                run(flight, waiters[0], redisTime: nil)
            }
        }
    }

    /// - Parameter redisTime: what asking Redis first took; nil if it was not asked.
    func run(_ flight: Flight, _ waiter: FlightWaiter, redisTime: Duration?) {
        let start = MonotonicTime.now()
        waiter.compute(flight.order) { [self] computation in
            let took = MonotonicTime.now().since(start)
            finish(flight, computation, took: took, redisTime: redisTime)
        }
    }

    private func finish(
        _ flight: Flight, _ computation: CacheComputation, took: Duration, redisTime: Duration?
    ) {
        // It was given up, and another one may have stored something newer since.
        if flights.isOver(flight) { return }
        switch computation {
        case .answer(var content, let lifetime, let readAt):
            content.cost = took
            if flight.alone == nil { content.compress(until: flight.codingDeadline) }
            counters.computed.add()
            counters.loadTime.observe(took)
            let entry = memory.entry(
                flight.key.span, content, computedAt: readAt, lifetime: lifetime)
            let isStored =
                flight.alone == nil && keep(entry, flight, isShareable: content.isShareable)
            publish(
                flight, entry, .computed, validAt: readAt, isStored: isStored,
                redisTime: redisTime, computeTime: took)
        case .unchanged(let readAt, let version):
            guard let known = flight.order.known else {
                return fail(flight, CacheFailure(.transient))
            }
            known.verify(at: readAt, version: version)
            publish(
                flight, known, .memory, validAt: readAt, isStored: !known.hasLeft,
                redisTime: redisTime, computeTime: took)
        case .failure(let failure):
            counters.failures.add()
            fail(flight, failure)
        }
    }

    /// Stores what was computed; where it may not be kept, that is remembered for a moment.
    /// - Returns: whether memory has it.
    private func keep(_ entry: CacheEntry, _ flight: Flight, isShareable: Bool) -> Bool {
        let isWanted = entry.cost >= options.leastCost && entry.weight <= memory.entryLimitBytes
        guard isWanted else {
            counters.refused.add()
            remember(.notKept, for: options.notKeptTime, flight, nil)
            release(flight)
            return false
        }
        let isStored = memory.insert(entry, epoch: flight.purgeEpoch).isStored
        if isStored, isShareable, let shared {
            shared.store(entry, purgeCount: flight.sharedPurgeCount, token: flight.token)
        } else {
            release(flight)
        }
        return isStored
    }

    private func remember(
        _ marker: CacheMarker, for time: Duration, _ flight: Flight, _ failure: CacheFailure?
    ) {
        var content = CacheContent(marker: marker)
        if let failure { content.attachedBytes = RememberedFailure.bytes(of: failure) }
        let entry = memory.entry(
            flight.key.span, content, computedAt: .now(), lifetime: CacheLifetime(fresh: time))
        if let failure { _ = entry.attach(RememberedFailure(failure)) }
        memory.insert(entry, epoch: flight.purgeEpoch)
    }

    /// Lets other nodes compute what came to nothing here.
    private func release(_ flight: Flight) {
        shared?.release(key: flight.key, tags: flight.tags, token: flight.token)
    }

    // MARK: Telling who waits

    /// Gives the entry to every waiter that can use it; the others fly again.
    /// - Parameter validAt: when the data was what the entry says.
    func publish(
        _ flight: Flight, _ entry: CacheEntry, _ source: CacheReply.Source,
        validAt: MonotonicTime, isStored: Bool, redisTime: Duration?, computeTime: Duration?
    ) {
        guard let waiters = flights.end(flight) else { return }
        let now = MonotonicTime.now()
        var others: [FlightWaiter] = []
        // What was found is gone from memory, perhaps purged. Who began the flight found it before that;
        // others may have come after it.
        let isForLeader = source == .memory && entry.hasLeft
        for waiter in waiters {
            guard waiter.isLeader || !isForLeader,
                isGoodEnough(entry, validAt, for: waiter, at: now)
            else {
                others.append(waiter)
                continue
            }
            let isForced = waiter.question.mode == .refresh
            var reply = CacheReply(
                entry, source, flight.alone ?? (isForced ? .forced : .miss))
            reply.isCollapsed = !waiter.isLeader
            reply.isStored = isStored
            reply.redisTime = redisTime
            reply.computeTime = computeTime
            reply.deadline = flight.codingDeadline
            waiter.completion?(.success(reply))
        }
        flyAgain(others, at: now)
    }

    /// An answer whose data was read after the question came is fresh by any measure. Otherwise it
    /// is judged as if it had been found.
    private func isGoodEnough(
        _ entry: CacheEntry, _ validAt: MonotonicTime, for waiter: FlightWaiter,
        at now: MonotonicTime
    ) -> Bool {
        if waiter.completion == nil || validAt >= waiter.arrivedAt { return true }
        let question = waiter.question
        return Freshness.judge(
            entry, question.conditions, question.present,
            version: question.version?.current ?? 0, at: now) != .unusable
    }

    /// Waiters for whom a flight was no use begin the next one, together. A refresh that nobody
    /// waits for is not repeated at once.
    private func flyAgain(_ waiters: [FlightWaiter], at now: MonotonicTime) {
        let waiting = waiters.filter { $0.completion != nil }
        for waiter in waiting where waiter.attempts >= FlightWaiter.attemptLimit {
            computeAlone(waiter, state: .miss)
        }
        let again = waiting.filter { $0.attempts < FlightWaiter.attemptLimit }.map { $0.again() }
        guard let latest = again.map(\.arrivedAt).max() else { return }
        fly(again, known: nil, at: now, notBefore: latest, asksRedis: false)
    }

    /// An error of the question is everybody's. Any other one is the leader's alone: the next
    /// waiter tries for all the rest.
    func fail(_ flight: Flight, _ failure: CacheFailure) {
        if failure.code == .deterministic, flight.alone == nil {
            remember(.failed, for: options.failureTime, flight, failure)
        }
        if flight.alone == nil { release(flight) }
        guard let waiters = flights.end(flight) else { return }
        let isFinal = failure.code == .deterministic || failure.code == .closed
        var others: [FlightWaiter] = []
        for waiter in waiters {
            if isFinal || waiter.isLeader || waiter.attempts >= FlightWaiter.attemptLimit {
                refuse(waiter, failure)
            } else {
                others.append(waiter)
            }
        }
        flyAgain(others, at: .now())
    }

    /// A flight that did not end by its deadline: cancelled after it was unlinked.
    func abandon(_ flight: Flight, _ waiters: [FlightWaiter]) {
        flight.order.cancel()
        counters.overdueFlights.add()
        var others: [FlightWaiter] = []
        for waiter in waiters {
            if waiter.isLeader || waiter.attempts >= FlightWaiter.attemptLimit {
                refuse(waiter, CacheFailure(.timeout))
            } else {
                others.append(waiter)
            }
        }
        flyAgain(others, at: .now())
    }

    /// A waiter whose own time is over leaves; its flight goes on.
    func leave(_ waiter: FlightWaiter) { refuse(waiter, CacheFailure(.timeout)) }

    /// The error, or what is there from before it, where the question allows that: an answer is no
    /// staler here than one that is found, unless the caller said that errors are worth it.
    private func refuse(_ waiter: FlightWaiter, _ failure: CacheFailure) {
        let now = MonotonicTime.now()
        let conditions = waiter.question.conditions
        if failure.code != .deterministic, conditions.maxStale != .zero,
            let old = waiter.fallback, old.hardExpiry > now,
            now.since(old.verifiedAt) <= conditions.staleIfError ?? conditions.maxStale
        {
            counters.errorFallbacks.add()
            var reply = CacheReply(old, .memory, .stale)
            reply.isErrorFallback = true
            waiter.completion?(.success(reply))
            return
        }
        waiter.completion?(.failure(failure))
    }

    // MARK: Alone

    /// Computes for one caller; nothing is read, joined or stored.
    func computeAlone(_ waiter: FlightWaiter, state: CacheReply.State) {
        let now = MonotonicTime.now()
        let deadline = min(waiter.question.deadline, Deadline(now + options.flightTimeout))
        let flight = Flight(
            key: waiter.question.key, order: FlightOrder(deadline: deadline, known: nil),
            startedAt: now, purgeEpoch: memory.purgeEpoch, alone: state, first: waiter)
        guard flights.add(flight) else {
            waiter.completion?(.failure(CacheFailure(.closed)))
            return
        }
        run(flight, waiter, redisTime: nil)
    }
}

/// What a marker of a failure carries.
final class RememberedFailure: Sendable {
    let failure: CacheFailure

    init(_ failure: CacheFailure) { self.failure = failure }

    /// What remembering it takes: the object's header 16, what `malloc` adds 16, and the failure.
    static func bytes(of failure: CacheFailure) -> Int {
        32 + MemoryLayout<CacheFailure>.size + failure.causeBytes
    }
}
