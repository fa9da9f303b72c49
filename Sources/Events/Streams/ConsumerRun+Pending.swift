import Primitives
import Redis
import Telemetry

/// What was given to the group before and not acknowledged: `PendingEntry` says how it is tried.
extension ConsumerRun {
    /// Entries of one page of what is pending.
    var pageCount: Int { min(readCount, 500) }

    // MARK: Own entries

    /// Reads what is pending for this consumer in one partition.
    func readPending(of partition: Int) throws(RedisError) {
        var after = StreamEntryID.zero
        while try waitForRoom() {
            try acknowledge()
            let (page, era) = try pending(of: partition, after: after)
            guard let last = page.last?.id else { return }
            consumer.redelivered.add(page.count)
            guard try take(page, of: partition, era) else { return }
            after = last
            let end = consumer.queue.take()
            end.era = era
            end.reach[partition] = last
            hand(over: end)
        }
    }

    /// The next of this consumer's pending entries, and the era in which they were.
    private func pending(
        of partition: Int, after: StreamEntryID
    ) throws(RedisError) -> (page: [PendingEntry], era: UInt64) {
        pipeline.removeAll()
        pipeline.listPending(
            consumer.keys.names[partition], consumer.options.group, of: consumer.options.node,
            behind: after, count: pageCount)
        return try pending()
    }

    /// Sends the questions in the pipeline, which have one partition.
    private func pending() throws(RedisError) -> (page: [PendingEntry], era: UInt64) {
        var page: [PendingEntry] = []
        var era: UInt64 = 0
        try consumer.redis.call(
            .consumer, within: ConsumerRun.answerLimit, isQuestion: true
        ) { session throws(RedisError) in
            era = eraOfReads()
            for reply in try session.send(pipeline) {
                if let error = reply.error { throw error }
                try reply.expectPendingEntries()
                page += PendingEntry.all(reply)
            }
        }
        return (page, era)
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
        let (key, group) = (consumer.keys.names[partition], consumer.options.group)
        pipeline.removeAll()
        pipeline.takeOver(
            key, group, for: consumer.options.node, idle: consumer.options.claimAfter,
            from: cursor, count: pageCount)
        var taken = TakenOver()
        try consumer.redis.call(
            .consumer, within: ConsumerRun.answerLimit
        ) { session throws(RedisError) in
            let reply = try session.single(pipeline)
            try reply.expectTakenOver()
            taken = TakenOver(reply)
        }
        if !taken.gone.isEmpty {
            consumer.lost(taken.gone.count, "trimmed while another consumer had them")
        }
        guard !taken.entries.isEmpty else { return taken.cursor }
        consumer.claimed.add(taken.entries.count)
        // One by one: what lies between them is in work here already.
        pipeline.removeAll()
        for id in taken.entries { pipeline.command("XPENDING", key, group, "\(id)", "\(id)", "1") }
        let (page, era) = try pending()
        // No reach: entries between these may be another consumer's.
        return try take(page, of: partition, era) ? taken.cursor : "0-0"
    }

    // MARK: Trying

    /// Hands entries of one partition to the writer, in groups as `PendingEntry` says.
    /// - Returns: false if it is to stop first.
    private func take(
        _ page: [PendingEntry], of partition: Int, _ era: UInt64
    ) throws(RedisError) -> Bool {
        var rest = PendingEntry.inOrderOfTrial(page)[...]
        while let first = rest.first {
            let group = PendingEntry.group(of: rest)
            rest = rest.dropFirst(group.count)
            if first.isSuspect {
                guard try waitForStore() else { return false }
            }
            let failure = try fetch(group, of: partition)
            guard try handOver(group, of: partition, era) else { return false }
            if first.isSuspect, !first.isGivenUp, try !waitForStore() {
                try count(group, of: partition, tries: 0)
                return false
            }
            if let failure { throw failure }
        }
        return true
    }

    /// Gets the contents of `group`, and once they are there counts the try.
    /// - Returns: why the try may not have been counted. It is made all the same: if it were not, the
    ///   counts would be of answers that were lost.
    private func fetch(
        _ group: ArraySlice<PendingEntry>, of partition: Int
    ) throws(RedisError) -> RedisError? {
        copies.removeAll()
        pipeline.removeAll()
        pipeline.fetch(group, of: consumer.keys.names[partition])
        try consumer.redis.call(
            .consumer, within: ConsumerRun.answerLimit, isQuestion: true
        ) { session throws(RedisError) in
            for (entry, reply) in zip(group, try session.send(pipeline)) {
                if let error = reply.error { throw error }
                try reply.expectContents(of: entry.id)
                copies.add(reply)
            }
        }
        if group.first?.isGivenUp == true { return nil }
        do throws(RedisError) { try count(group, of: partition, tries: 1) } catch {
            guard error.code == .noPermission else { return error }
            tellThatTriesAreNotCounted(error)
        }
        return nil
    }

    /// Once: what stands in the way is a matter of rights, and stays.
    private func tellThatTriesAreNotCounted(_ error: RedisError) {
        guard !hasToldOfUncounted else { return }
        hasToldOfUncounted = true
        consumer.log.error(
            "an entry that ends the process would not be found out",
            ["error": .string(error.description)])
    }

    /// Sets how often entries were delivered to what was listed and so many tries more.
    private func count(
        _ group: ArraySlice<PendingEntry>, of partition: Int, tries: Int64
    ) throws(RedisError) {
        pipeline.removeAll()
        pipeline.count(
            group, tries: tries, consumer.keys.names[partition], consumer.options.group,
            of: consumer.options.node)
        try consumer.redis.call(
            .consumer, within: ConsumerRun.answerLimit
        ) { session throws(RedisError) in
            for reply in try session.send(pipeline) {
                if let error = reply.error { throw error }
            }
        }
    }

    /// Decodes what was fetched, and hands it over in batches that are not too large.
    /// - Returns: false if it is to stop first.
    private func handOver(
        _ group: ArraySlice<PendingEntry>, of partition: Int, _ era: UInt64
    ) throws(RedisError) -> Bool {
        var batch = consumer.queue.take()
        var bytes = 0
        for (index, entry) in group.enumerated() where index < copies.count {
            if batch.byteCount > ConsumerRun.readBytes {
                bytes += batch.byteCount
                hand(over: batch)
                guard try waitForRoom() else { return false }
                batch = consumer.queue.take()
            }
            batch.era = era
            batch.isSuspect = entry.isSuspect
            batch.add(entry.id, of: partition)
            if let fields = copies.fields(of: index) {
                if entry.isGivenUp {
                    decoder.giveUp(fields, into: batch)
                } else {
                    decoder.decode(fields, of: entry.id, into: batch)
                }
            } else {
                batch.goneCount += 1
            }
        }
        adaptPage(entries: group.count, bytes: bytes + batch.byteCount)
        hand(over: batch)
        copies.removeAll()
        return true
    }
}
