import Journal
import Primitives
import Redis
import Storage
import Telemetry

/// The forwarder's thread and what belongs to it alone; `StreamForwarder` says how it works.
final class ForwarderRun {
    private let forwarder: StreamForwarder
    private let pipeline: ForwarderPipeline
    private var progress: ForwarderProgress
    private var pace = SendPace()
    /// Connections of the lane, when Redis was looked at.
    private var lookedAt: UInt64 = 0

    /// Also how long others wait at most until it looks at a Redis that they doubt.
    private static let idleWait = Duration.milliseconds(25)

    init(_ forwarder: StreamForwarder, _ progress: ForwarderProgress) {
        self.forwarder = forwarder
        self.progress = progress
        pipeline = ForwarderPipeline(forwarder, after: progress.position)
    }

    /// Until it is stopped and everything is sent, or the time for that is over.
    func run() {
        while !shouldEnd {
            do throws(ForwarderError) {
                let hasLooked = try look()
                try announceErasures()
                let isBusy = try sendMore()
                // Where nothing was asked of Redis, nothing is known of it.
                if isBusy || hasLooked { succeeded() }
                release()
                if !isBusy { waitForMore() }
            } catch {
                failed(error)
                release()
            }
        }
        progress.write(oldest: oldest, forwarder.lossDetector, isLast: true)
    }

    private var shouldEnd: Bool {
        let (isStopping, deadline) = forwarder.state.withLock { ($0.isStopping, $0.stopDeadline) }
        guard isStopping else { return false }
        return deadline.hasPassed || forwarder.health.failing(at: .now()) != nil
            || (progress.gap == nil && progress.position >= forwarder.journal.committedSequence)
    }

    /// The last record that is not in the journal any more.
    private var oldest: UInt64 { forwarder.journal.status.firstSequence - 1 }

    private func publish() {
        forwarder.publish(position: progress.position, gaps: progress.gapCount)
    }

    // MARK: Looking

    /// Before anything is sent after a lost connection: does Redis still have what it acknowledged?
    /// - Returns: whether there was reason to ask.
    private func look() throws(ForwarderError) -> Bool {
        let detector = forwarder.lossDetector
        guard !detector.isTrusted || lookedAt != forwarder.redis.connectionsMade(.streams) else {
            return false
        }
        var doubts = detector.doubts
        let before = detector.current
        let lookedAtBefore = lookedAt
        let look: RedisLossDetector.Look
        do throws(RedisError) {
            look = try forwarder.redis.call(
                .streams, within: pace.answerLimit, isQuestion: true
            ) { session throws(RedisError) in
                // The connection on which it is asked is the first that it answers for.
                doubts = detector.doubts
                lookedAt = forwarder.redis.connectionsMade(.streams)
                return try RedisLossDetector.Look.take(
                    forwarder.keys, node: forwarder.options.node, session)
            }
        } catch {
            throw .redis(error)
        }
        let verdict = RedisLossDetector.verdict(look, after: before)
        detector.accept(look)
        let isRepartitioned = progress.isRepartitioned(forwarder.keys.count)
        // The same process has what it took; who does not say which it is may be another.
        if verdict != .same || look.runID.isEmpty && lookedAt != lookedAtBefore {
            pipeline.forgetAccepted()
        }
        if verdict == .lost || detector.isMarkLost || isRepartitioned {
            rewind(isRepartitioned ? "partitions changed" : "redis lost data")
        }
        detector.trust(since: doubts)
        return true
    }

    /// Begins again with the oldest record that the journal still has. Ids make what is sent twice
    /// harmless.
    private func rewind(_ reason: String) {
        let (oldest, position) = (self.oldest, progress.position)
        forwarder.losses.add()
        forwarder.lossDetector.noteLoss()
        forwarder.exchange.announceAgain()
        forwarder.log.warning("events are sent to redis again") {
            $0.add("reason", reason)
            $0.add("from_sequence", min(position, oldest) + 1)
            $0.add("to_sequence", position)
        }
        progress.rewind(to: oldest, partitions: forwarder.keys.count)
        pipeline.forgetAccepted()
        forwarder.lossDetector.forgetMark()
        publish()
        pipeline.restart(after: progress.position)
    }

    // MARK: Sending

    /// A gap waits until every erasure is announced: it may hold events that were accepted after an
    /// erasure began, and those must not lie before this node's end. An erasure that begins after this
    /// was asked is about all rows of the gap, for they are there already.
    /// - Returns: whether there was anything to send.
    private func sendMore() throws(ForwarderError) -> Bool {
        guard forwarder.exchange.isCurrent else { return false }
        if forwarder.exchange.barrier == nil, let gap = progress.gap { return try send(gap) }
        return try sendRecords()
    }

    /// Sends what waits in the journal, as one pipeline.
    /// - Returns: whether there was anything.
    private func sendRecords() throws(ForwarderError) -> Bool {
        // What was taken before an erasure began goes first, and nothing else until that is announced.
        // In this order: an erasure that begins after it has a barrier that is not below `committed`.
        let committed = forwarder.journal.committedSequence
        guard !forwarder.store.erasures.isBeginning else { return false }
        let barrier = min(forwarder.exchange.barrier ?? .max, committed)
        guard barrier > progress.position else { return false }
        let position: UInt64
        do throws(JournalError) {
            position = try pipeline.fill(after: progress.position, upTo: barrier, pace)
        } catch {
            throw .journal(error)
        }
        if let lost = pipeline.lostThrough {
            letGo(ofLost: lost)
            return false
        }
        if position > progress.position {
            progress.advance(to: position)
            publish()
        }
        guard pipeline.recordCount > 0 || !pipeline.isEmpty else { return false }
        guard let sent = try send() else { return true }
        if sent.records > 0 {
            progress.advance(to: pipeline.sequence(ofRecord: sent.records))
            publish()
        }
        if let failure = sent.failure { throw failure }
        guard sent.records == pipeline.recordCount else {
            throw .redis(RedisError(.unexpectedReply, "nothing was acknowledged"))
        }
        forwarder.forwarded.add(pipeline.eventCount)
        return true
    }

    /// Sends some rows of the store that Redis was not sent.
    /// - Returns: true, for there was something to do.
    private func send(_ gap: ForwarderCheckpoint.Gap) throws(ForwarderError) -> Bool {
        let last: Int64?
        do throws(StorageError) {
            last = try pipeline.fill(with: gap, after: progress.position, pace)
        } catch {
            throw .store(error)
        }
        if !pipeline.isEmpty {
            guard let sent = try send() else { return true }
            if let failure = sent.failure { throw failure }
            forwarder.forwarded.add(pipeline.eventCount)
        }
        progress.sentGap(through: last)
        publish()
        return true
    }

    /// - Returns: nil if nothing was sent: the call made a connection, and what answers there has
    ///   not been looked at.
    private func send() throws(ForwarderError) -> ForwarderPipeline.Sent? {
        let sent: ForwarderPipeline.Sent?
        do throws(RedisError) {
            sent = try forwarder.redis.call(
                .streams, within: pace.answerLimit
            ) { session throws(RedisError) in
                guard forwarder.redis.connectionsMade(.streams) == lookedAt else { return nil }
                return try pipeline.look(
                    at: try session.send(pipeline.encoder.pipeline), session)
            }
        } catch {
            throw .redis(error)
        }
        if let sent {
            progress.acknowledged(sent.ends)
        } else {
            pipeline.restart(after: progress.position)
        }
        return sent
    }

    /// Tells the other nodes that all was sent that this one had taken before an erasure began. What of
    /// that lies in gaps is left out of them.
    private func announceErasures() throws(ForwarderError) {
        let (exchange, position) = (forwarder.exchange, progress.position)
        guard exchange.mustAnnounce(sent: position) else { return }
        do throws(RedisError) {
            try forwarder.redis.call(
                .streams, within: pace.answerLimit
            ) { session throws(RedisError) in
                // Another Redis may answer on it, with less.
                guard forwarder.redis.connectionsMade(.streams) == lookedAt else { return }
                let look = try RedisLossDetector.Look.take(
                    forwarder.keys, node: forwarder.options.node, session)
                try exchange.announce(sent: position, ends: look.lastIDs, session)
            }
        } catch {
            throw .redis(error)
        }
    }

    // MARK: Between two pipelines

    /// Writes the checkpoint when it is time, and lets the journal go of what Redis has.
    private func release() {
        letGoIfFull()
        progress.write(oldest: oldest, forwarder.lossDetector)
        guard !progress.hasUnwrittenGap else { return }
        forwarder.journal.release(upTo: progress.position, by: StreamForwarder.consumer)
    }

    /// Lets the oldest segments go once this consumer holds more than its share, as far as the
    /// store has them, and remembers which rows they became.
    private func letGoIfFull() {
        guard let end = forwarder.journal.releasePoint(keepingBytes: forwarder.holdLimitBytes),
            end > progress.position
        else { return }
        let store = forwarder.store.status
        let limit = min(end, store.durablePosition)
        guard limit > progress.position else { return }
        forwarder.log.warning(
            "the journal lets go of events that redis has not been sent; the store has them"
        ) {
            $0.add("from_sequence", progress.position + 1)
            $0.add("to_sequence", limit)
        }
        letGo(upTo: limit, lastRow: store.lastSeq)
    }

    /// Records are not in the journal any more, or cannot be read. The store may have taken them before
    /// they were damaged, so what it took up to there is sent from it.
    private func letGo(ofLost sequence: UInt64) {
        // Durably: until then a power failure could give their rows to other events. The position
        // first: the last row is then none before it.
        guard forwarder.store.durablePosition >= sequence else {
            pipeline.restart(after: progress.position)
            // Also while it stops: the store may be ended with it.
            _ = forwarder.state.wait(
                until: .after(ForwarderRun.idleWait), for: { _ in false }, then: { _ in })
            return
        }
        forwarder.log.warning("events that the journal has lost go to redis from the store") {
            $0.add("from_sequence", progress.position + 1)
            $0.add("to_sequence", sequence)
        }
        letGo(upTo: sequence, lastRow: forwarder.store.status.lastSeq)
    }

    private func letGo(upTo sequence: UInt64, lastRow: Int64) {
        progress.letGo(upTo: sequence, lastRow: lastRow, oldest: oldest)
        // The gap may begin before rows that Redis took since it lost its data.
        pipeline.forgetAccepted()
        publish()
        pipeline.restart(after: progress.position)
    }

    private func succeeded() {
        if forwarder.health.failing(at: .now()) != nil {
            forwarder.log.notice("events go to redis streams")
        }
        pace.succeeded(
            isBreakerClosed: forwarder.redis.breaker(.streams).snapshot(at: .now()).mode == .closed)
        forwarder.health.succeeded()
    }

    private func failed(_ error: ForwarderError) {
        if forwarder.health.failed(error.description) {
            // What passes is a warning; what an operator has to mend is more.
            let level: LogLevel = error.passes ? .warning : .error
            forwarder.log.log(level, "events do not go to redis streams") {
                $0.add("error", error)
            }
        }
        if error.asksForLook { forwarder.lossDetector.suspect() }
        pipeline.restart(after: progress.position)
        pause(pace.failed(error.code))
    }

    /// Waits, unless it is to stop.
    private func pause(_ time: Duration) {
        _ = forwarder.state.wait(until: .after(time), for: { $0.isStopping }, then: { _ in })
    }

    private func waitForMore() {
        guard !forwarder.state.withLock({ $0.isStopping }) else { return }
        _ = forwarder.journal.waitForCommitted(
            after: progress.position, until: .after(ForwarderRun.idleWait))
    }
}

/// What keeps the forwarder from sending.
enum ForwarderError: Error, CustomStringConvertible {
    case redis(RedisError)
    case journal(JournalError)
    case store(StorageError)

    var description: String {
        switch self {
        case .redis(let error): error.description
        case .journal(let error): error.description
        case .store(let error): error.description
        }
    }

    /// The connection ended, or the server is not what it was.
    var asksForLook: Bool {
        guard case .redis(let error) = self else { return false }
        return error.code.endsConnection || error.code.isServerFailure
    }

    /// Nil if it is not Redis's.
    var code: RedisError.Code? {
        if case .redis(let error) = self { error.code } else { nil }
    }

    /// The breaker counts it or made it.
    var passes: Bool { code.map { $0 == .breakerOpen || $0.isTransient } ?? false }
}
