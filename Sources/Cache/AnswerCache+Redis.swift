import Primitives
import Redis

/// Redis before computing.
extension AnswerCache {
    func askRedis(
        _ flight: Flight, _ waiter: FlightWaiter, _ shared: RedisTier, at now: MonotonicTime
    ) {
        let question = waiter.question
        // Read before the stamp is, so that it vouches for no more than the stamp does.
        let version = question.version?.current ?? 0
        if let stamp = question.present.flatMap({ $0() }) {
            look(flight, waiter, shared, stamp, version, at: now)
        } else if let readStamp = question.readStamp {
            readStamp(flight.order) { [self] stamp in
                guard let stamp else { return run(flight, waiter, redisTime: nil) }
                if revalidate(flight, question, stamp, version, since: now) { return }
                look(flight, waiter, shared, stamp, version, at: now)
            }
        } else if question.present == nil, question.conditions.maxStale != .zero {
            // Time alone decides.
            look(flight, waiter, shared, nil, version, at: now)
        } else {
            run(flight, waiter, redisTime: nil)
        }
    }

    /// Publishes the entry that is in memory already, if the data is still what it was computed from and
    /// its lifetime not near its end: Redis could only have the same.
    /// - Parameter start: from before the stamp was read.
    private func revalidate(
        _ flight: Flight, _ question: CacheQuestion, _ stamp: GenerationStamp, _ version: UInt64,
        since start: MonotonicTime
    ) -> Bool {
        guard let known = flight.order.known, known.stamp == stamp, !known.hasLeft else {
            return false
        }
        known.verify(at: start, version: version)
        let freshness = Freshness.judge(
            known, question.conditions, question.present, version: version, at: start)
        guard freshness == .fresh else { return false }
        publish(
            flight, known, .memory, validAt: start, isStored: true, redisTime: nil,
            computeTime: MonotonicTime.now().since(start))
        return true
    }

    /// - Parameter stamp: only an answer over exactly the data that is here is this node's own.
    private func look(
        _ flight: Flight, _ waiter: FlightWaiter, _ shared: RedisTier, _ stamp: GenerationStamp?,
        _ version: UInt64, at now: MonotonicTime
    ) {
        let question = waiter.question
        shared.read(
            key: question.key, tags: question.tags, wanted: stamp, token: flight.token,
            deadline: min(question.deadline, flight.order.deadline)
        ) { [self] finding in
            let took = MonotonicTime.now().since(now)
            if case .found(let answer) = finding,
                let entry = promote(answer, question, stamp, version, since: now)
            {
                counters.redisHits.add()
                let isStored = memory.insert(entry, epoch: flight.purgeEpoch).isStored
                shared.release(key: question.key, tags: question.tags, token: flight.token)
                return publish(
                    flight, entry, .redis, validAt: entry.verifiedAt, isStored: isStored,
                    redisTime: took, computeTime: nil)
            }
            run(flight, waiter, redisTime: took)
        }
    }

    /// An entry of this node from another node's answer; nil if it is no use to the question.
    ///
    /// Its set hash is that of the data here, so it gets the count that this node has for that.
    private func promote(
        _ answer: SharedAnswer, _ question: CacheQuestion, _ stamp: GenerationStamp?,
        _ version: UInt64, since start: MonotonicTime
    ) -> CacheEntry? {
        var content = answer.content
        guard stamp != nil || content.stamp == nil else { return nil }
        if let stamp, content.stamp?.setHash != stamp.setHash { return nil }
        content.stamp = stamp
        content.version = stamp == nil ? 0 : version
        let now = MonotonicTime.now()
        // Another node's clock may be ahead of this one's. One that is older than this host is up has
        // no moment on this clock.
        let wallTime = WallClock.nowMilliseconds()
        let age = UInt64(clamping: wallTime.subtractingReportingOverflow(answer.computedAt).0)
        guard age < now.nanoseconds / 1_000_000 else { return nil }
        // The stamp was read after `start`, so the answer is known to be right for then, not for now.
        let computedAt = min(
            start, MonotonicTime(nanoseconds: now.nanoseconds - age * 1_000_000))
        let entry = memory.entry(
            question.key.span, content, computedAt: computedAt, lifetime: answer.lifetime)
        if stamp != nil { entry.verify(at: start, version: version) }
        // As of `start` as well: the version is from before Redis was asked, and a caller who came
        // since then may know of events that it does not vouch for.
        let freshness = Freshness.judge(
            entry, question.conditions, question.present, version: version, at: start)
        return freshness == .fresh || freshness == .ending ? entry : nil
    }
}
