import Primitives
import Redis
import Telemetry

/// What the consumer does at the start, after failures, and for others that died.
extension ConsumerRun {
    /// Reads what is pending for this consumer and was not stored, or stored and not acknowledged.
    func recover() throws(RedisError) {
        // An id is only good for the Redis that gave it.
        if consumer.continuity.lostAt != lossSeen {
            lossSeen = consumer.continuity.lostAt
            unacknowledged.removeAll()
        }
        try ensureGroups()
        if try waitForStore() { try readPending() }
    }

    /// Reads what is pending in all partitions. What Redis refuses of one keeps nothing from being
    /// read of the others.
    private func readPending() throws(RedisError) {
        var refusal: RedisError?
        for partition in 0..<consumer.keys.count {
            do throws(RedisError) { try readPending(of: partition) } catch {
                guard !error.code.isTransient, error.code != .breakerOpen else { throw error }
                refusal = refusal ?? error.naming(consumer.keys.names[partition])
            }
        }
        if let refusal { throw refusal }
    }

    // MARK: Groups

    /// Makes the group where it is missing, at the beginning of the stream.
    private func ensureGroups() throws(RedisError) {
        let missing = try lookAtGroups()
        if missing.isEmpty { return }
        // Other groups may be missing as well, which a node that was started again never saw.
        if consumer.hasStoredBefore { consumer.continuity.noteLoss() }
        pipeline.removeAll()
        for partition in missing {
            pipeline.command(
                "XGROUP", "CREATE", consumer.keys.names[partition], consumer.options.group, "0",
                "MKSTREAM")
        }
        try consumer.redis.call(
            .consumer, within: ConsumerRun.answerLimit
        ) { session throws(RedisError) in
            for reply in try session.send(pipeline) {
                if let error = reply.error, error.code != .busyGroup { throw error }
            }
        }
        consumer.log.notice("consumer group made") {
            $0.add("group", consumer.options.group)
            $0.add("partitions", missing.count)
        }
    }

    /// Notes what the group was given.
    /// - Returns: the partitions that have no such group.
    private func lookAtGroups() throws(RedisError) -> [Int] {
        pipeline.removeAll()
        for key in consumer.keys.names { pipeline.command("XINFO", "GROUPS", key) }
        addQuestionForCuts()
        var found = delivered.map { _ in StreamEntryID.zero }
        var missing: [Int] = []
        var cuts: [StreamEntryID?] = []
        try consumer.redis.call(
            .consumer, within: ConsumerRun.answerLimit, isQuestion: true
        ) { session throws(RedisError) in
            for (partition, reply) in try session.send(pipeline).enumerated() {
                guard partition < found.count else {
                    cuts = self.cuts(in: reply)
                    break
                }
                // No stream, no group; there is no class for that error.
                if let error = reply.error, error.code != .otherServer {
                    throw error.naming(consumer.keys.names[partition])
                }
                let own = StreamGroupInfo.all(reply).first {
                    $0.name == consumer.options.group
                }
                if let own {
                    found[partition] = own.lastDelivered
                } else {
                    missing.append(partition)
                }
            }
        }
        if !hasSeenCuts {
            hasSeenCuts = true
            delivered = found
            // What was cut before there was this group was never meant for it.
            for partition in missing where partition < cuts.count {
                cutsSeen[partition] = cuts[partition]
            }
        }
        // A read whose answer was lost may have moved the group past a cut, so what was cut is judged
        // by what this knew before.
        look(at: cuts)
        delivered = found
        return missing
    }

    /// Lets the writer store what is in hand, and acknowledges it. Otherwise it would be read again
    /// as pending, or, where a cap has cut it meanwhile, be nowhere any more.
    /// - Returns: false if it is to stop first.
    func waitForStore() throws(RedisError) -> Bool {
        var isStored = false
        repeat {
            try acknowledge()
            isStored = consumer.queue.waitUntilStored(until: .after(.milliseconds(100)))
        } while !isStored && !consumer.isStopping
        try acknowledge()
        return isStored
    }

    /// Pages are of one partition, and say little of how much a read of all may bring: they only
    /// lead back to where it began.
    func adaptPage(entries: Int, bytes: Int) {
        adaptReadCount(
            entries: entries, bytes: bytes, asked: pageCount, limit: ConsumerRun.firstReadCount)
    }

    /// Waits until the writer has room.
    /// - Returns: false if it is to stop.
    func waitForRoom() throws(RedisError) -> Bool {
        while !consumer.isStopping {
            if consumer.queue.waitForRoom(until: .after(.milliseconds(100))) { return true }
            try acknowledge()
        }
        return false
    }
}
