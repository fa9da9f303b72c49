import Primitives
import Redis
import Telemetry

/// What the forwarder does about a Redis that lost data or stays away.
extension ForwarderRun {
    /// Before anything is sent after a lost connection: does Redis still have what it acknowledged?
    /// - Returns: whether there was reason to ask.
    func verify() throws(ForwarderError) -> Bool {
        let continuity = forwarder.continuity
        guard !continuity.isTrusted || lookedAt != forwarder.redis.connectionsMade(.streams) else {
            return false
        }
        var doubts = continuity.doubts
        let before = continuity.current
        let lookedAtBefore = lookedAt
        let look: StreamContinuity.Look
        do throws(RedisError) {
            look = try forwarder.redis.call(
                .streams, within: sendLimit, isQuestion: true
            ) { session throws(RedisError) in
                // The connection on which it is asked is the first that it answers for.
                doubts = continuity.doubts
                lookedAt = forwarder.redis.connectionsMade(.streams)
                return try StreamContinuity.Look.take(
                    forwarder.keys, node: forwarder.options.node, session)
            }
        } catch {
            throw .redis(error)
        }
        let verdict = StreamContinuity.verdict(look, after: before)
        continuity.accept(look)
        let isRepartitioned = !note.ends.isEmpty && note.ends.count != forwarder.keys.count
        // The same process has what it took; who does not say which it is may be another.
        if verdict != .same || look.runID.isEmpty && lookedAt != lookedAtBefore { forgetTaken() }
        if verdict == .lost || hasLostMark || isRepartitioned {
            rewind(isRepartitioned ? "partitions changed" : "redis lost data")
        }
        continuity.trust(since: doubts)
        return true
    }

    /// Begins again with the oldest record that the journal still has. Ids make what is sent twice
    /// harmless.
    func rewind(_ reason: String) {
        let journal = forwarder.journal.status
        let from = min(note.position, journal.firstSequence - 1)
        forwarder.losses.add()
        forwarder.continuity.noteLoss()
        forwarder.exchange.announceAgain()
        forwarder.log.warning("events are sent to redis again") {
            $0.add("reason", reason)
            $0.add("from_sequence", from + 1)
            $0.add("to_sequence", note.position)
        }
        note.position = from
        // What lies before the journal is not sent again. Where it is not known which rows do, none
        // do: a gap begins there.
        note.rows = min(note.rows, forwarder.marks.rows(behind: journal.firstSequence - 1) ?? 0)
        forgetTaken()
        note.ends = Array(repeating: .zero, count: forwarder.keys.count)
        forwarder.continuity.forgetMark()
        hasLostMark = false
        noteChanged()
        forwarder.publish(position: note.position, gaps: note.gaps.count)
        restartReader()
    }

    /// Lets the oldest segments go once this consumer holds more than its share, as far as the
    /// store has them, and notes which rows they became.
    /// - Returns: whether the position was changed.
    func letGoIfFull() -> Bool {
        guard let end = forwarder.journal.releasePoint(keepingBytes: forwarder.holdLimitBytes),
            end > note.position
        else { return false }
        let store = forwarder.store.status
        let limit = min(end, store.durablePosition)
        guard limit > note.position else { return false }
        forwarder.log.warning(
            "the journal lets go of events that redis has not been sent; the store has them"
        ) {
            $0.add("from_sequence", note.position + 1)
            $0.add("to_sequence", limit)
        }
        // A note that was lost does not know of what the journal has long let go.
        let oldest = forwarder.journal.status.firstSequence - 1
        let rows = max(note.rows, forwarder.marks.rows(behind: oldest) ?? 0)
        note.addGap(after: rows, upTo: store.lastSeq)
        note.position = limit
        if let rows = forwarder.marks.rows(behind: limit) { note.rows = max(note.rows, rows) }
        noteChanged()
        forwarder.publish(position: note.position, gaps: note.gaps.count)
        restartReader()
        return true
    }
}
