import Primitives
import Redis
import Telemetry

/// What the consumer does at the start, after failures, and for others that died.
extension ConsumerRun {
    /// Entries of one page of what is pending.
    private var pageCount: Int { min(readCount, 500) }

    /// Reads what is pending for this consumer and was not stored, or stored and not acknowledged.
    func recover() throws(RedisError) {
        isBlind = false
        var isTrusted = try ensureGroups()
        if !isTrusted {
            // What asks for a look is often the connection that this just made.
            waitForTrust()
            isBlind = false
            isTrusted = try ensureGroups()
        }
        try waitForStore()
        for partition in 0..<consumer.keys.count { try readPending(of: partition) }
        // All that the group was given before is now on its way, so a partition in which nothing
        // comes any more is settled too.
        let batch = consumer.queue.take()
        // Not on the word of pages that came from somewhere else.
        batch.era = isTrusted && !isBlind ? era : 0
        batch.reach = delivered
        guard try waitForRoom() else { return consumer.queue.giveBack(batch) }
        hand(over: batch)
    }

    // MARK: Groups

    /// Makes the group where it is missing, at the beginning of the stream.
    /// - Returns: whether what was found can be believed.
    private func ensureGroups() throws(RedisError) -> Bool {
        let (missing, isTrusted) = try lookAtGroups()
        guard !missing.isEmpty else { return isTrusted }
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
        consumer.log.notice(
            "consumer group made",
            [
                "group": .string(consumer.options.group),
                "partitions": .integer(Int64(missing.count)),
            ])
        // What the group had not read may have been trimmed while it was missing. What follows
        // belongs to the era that this begins, and need not be done again.
        era = consumer.doubt()
        return isTrusted
    }

    /// Notes what the group was given.
    private func lookAtGroups() throws(RedisError) -> (missing: [Int], isTrusted: Bool) {
        pipeline.removeAll()
        for key in consumer.keys.names { pipeline.command("XINFO", "GROUPS", key) }
        addQuestionForCuts()
        var found = delivered.map { _ in StreamEntryID.zero }
        var missing: [Int] = []
        var isTrusted = false
        var cuts: [StreamEntryID?] = []
        try consumer.redis.call(
            .consumer, within: ConsumerRun.answerLimit, isQuestion: true
        ) { session throws(RedisError) in
            isTrusted = eraOfReads() == era
            for (partition, reply) in try session.send(pipeline).enumerated() {
                guard partition < found.count else {
                    cuts = self.cuts(in: reply)
                    break
                }
                // No stream, no group; there is no class for that error.
                if let error = reply.error, error.code != .otherServer { throw error }
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
        return (missing, isTrusted)
    }

    // MARK: Own pending entries

    private func readPending(of partition: Int) throws(RedisError) {
        var after = StreamEntryID.zero
        while try waitForRoom() {
            try acknowledge()
            let counts = try deliveries(of: partition, after: after)
            let batch = consumer.queue.take()
            let suspects = consumer.queue.take()
            suspects.isSuspect = true
            let last = try readPage(of: partition, after: after, counts, batch, suspects)
            consumer.redelivered.add(batch.entryCount + suspects.entryCount)
            adaptPage(batch, suspects)
            hand(over: suspects)
            hand(over: batch)
            guard let last else { return }
            after = last
        }
    }

    private func readPage(
        of partition: Int, after: StreamEntryID, _ counts: [StreamEntryID: Int64],
        _ batch: StreamBatch, _ suspects: StreamBatch
    ) throws(RedisError) -> StreamEntryID? {
        pipeline.removeAll()
        pipeline.command(
            "XREADGROUP", "GROUP", consumer.options.group, consumer.options.node, "COUNT",
            "\(pageCount)", "STREAMS", consumer.keys.names[partition], "\(after)")
        var last: StreamEntryID?
        try deliver { session throws(RedisError) in
            batch.era = eraOfReads()
            suspects.era = batch.era
            let reply = try session.single(pipeline)
            for entry in reply.elements.first?.elements[1]?.elements ?? reply.elements {
                last = take(entry, of: partition, counts, batch, suspects) ?? last
            }
        }
        if let last { batch.reach[partition] = last }
        return last
    }

    /// Asks for entries that were delivered before, which Redis counts whether its answer arrives
    /// or not.
    private func deliver(
        _ read: (borrowing RedisSession) throws(RedisError) -> Void
    ) throws(RedisError) {
        do throws(RedisError) {
            try consumer.redis.call(.consumer, within: ConsumerRun.answerLimit, read)
        } catch {
            if error.code.endsConnection { unansweredReads += 1 }
            throw error
        }
    }

    /// Puts an entry where its number of deliveries says.
    private func take(
        _ entry: RedisReply, of partition: Int, _ counts: [StreamEntryID: Int64],
        _ batch: StreamBatch, _ suspects: StreamBatch
    ) -> StreamEntryID? {
        guard let id = entry.elements.first?.bytes.flatMap({ StreamEntryID($0) }) else {
            return nil
        }
        let deliveries = counts[id] ?? 0
        if deliveries > StreamOptions.deliveriesBeforeGivingUp, let fields = entry.elements[1],
            !fields.isNull
        {
            suspects.add(id, of: partition)
            decoder.giveUp(fields.elements, into: suspects)
            return id
        }
        let isSuspect = deliveries > StreamOptions.deliveriesBeforeIsolation
        return take(entry, of: partition, into: isSuspect ? suspects : batch)
    }

    /// How often each of the next pending entries was delivered; only those that stand out. What
    /// Redis sent in vain does not count: a slow network would make poison of good entries.
    private func deliveries(
        of partition: Int, after: StreamEntryID
    ) throws(RedisError) -> [StreamEntryID: Int64] {
        pipeline.removeAll()
        pipeline.command(
            "XPENDING", consumer.keys.names[partition], consumer.options.group, "\(after.next)",
            "+", "\(pageCount)", consumer.options.node)
        var counts: [StreamEntryID: Int64] = [:]
        try consumer.redis.call(
            .consumer, within: ConsumerRun.answerLimit, isQuestion: true
        ) { session throws(RedisError) in
            for entry in try session.single(pipeline).elements {
                guard let id = entry.elements.first?.bytes.flatMap({ StreamEntryID($0) }),
                    let count = entry.elements[3].map({ $0.count - unansweredReads }),
                    count > StreamOptions.deliveriesBeforeIsolation
                else { continue }
                counts[id] = count
            }
        }
        return counts
    }

    /// Lets the writer store what is in hand, and acknowledges it. Otherwise it would be read again
    /// as pending, or, where a cap has cut it meanwhile, be nowhere any more.
    private func waitForStore() throws(RedisError) {
        repeat {
            try acknowledge()
        } while !consumer.isStopping
            && !consumer.queue.waitUntilStored(until: .after(.milliseconds(100)))
        try acknowledge()
    }

    /// Pages are of one partition, and say little of how much a read of all may bring: they only
    /// lead back to where it began.
    private func adaptPage(_ batches: StreamBatch...) {
        adaptReadCount(
            entries: batches.reduce(0) { $0 + $1.entryCount },
            bytes: batches.reduce(0) { $0 + $1.payload.count }, asked: pageCount,
            limit: ConsumerRun.firstReadCount)
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

    // MARK: Entries of others

    /// Takes over entries that another consumer of the group has left lying.
    func claim() throws(RedisError) {
        for partition in 0..<consumer.keys.count {
            var cursor = "0-0"
            repeat {
                guard try waitForRoom() else { return }
                cursor = try claimPage(of: partition, from: cursor)
            } while cursor != "0-0"
        }
    }

    /// - Returns: where the next page begins; `0-0` after the last.
    private func claimPage(
        of partition: Int, from cursor: String
    ) throws(RedisError) -> String {
        pipeline.removeAll()
        pipeline.command(
            "XAUTOCLAIM", consumer.keys.names[partition], consumer.options.group,
            consumer.options.node, "\(consumer.options.claimAfter.wholeMilliseconds)", cursor,
            "COUNT", "\(pageCount)")
        let batch = consumer.queue.take()
        var next = "0-0"
        var gone = 0
        try deliver { session throws(RedisError) in
            batch.era = eraOfReads()
            var reply = try session.single(pipeline).elements
            next = reply.next()?.string ?? "0-0"
            // No reach: entries between these may be another consumer's.
            if let entries = reply.next()?.elements {
                for entry in entries { _ = take(entry, of: partition, into: batch) }
            }
            gone = reply.next()?.elements.count ?? 0
        }
        adaptPage(batch)
        consumer.claimed.add(batch.entryCount)
        if gone > 0 { consumer.lost(gone, "trimmed while another consumer had them") }
        hand(over: batch)
        return next
    }
}
