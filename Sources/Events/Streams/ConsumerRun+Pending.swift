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
        var stillLate: Set<StreamEntryID> = []
        while try waitForRoom() {
            try acknowledge()
            let page = try pending(of: partition, after: after)
            guard let last = page.last?.id else {
                return late.keep(only: stillLate, of: partition)
            }
            let tried = withoutWaiting(page, of: partition)
            consumer.redelivered.add(tried.count)
            guard try take(tried, of: partition) else { return }
            for entry in page where late.contains(entry.id, of: partition) {
                stillLate.insert(entry.id)
            }
            after = last
        }
    }

    /// The next of this consumer's pending entries.
    private func pending(
        of partition: Int, after: StreamEntryID
    ) throws(RedisError) -> [PendingEntry] {
        pipeline.removeAll()
        pipeline.listPending(
            consumer.keys.names[partition], consumer.options.group, of: consumer.options.node,
            behind: after, count: pageCount)
        return try pending()
    }

    /// Sends the questions in the pipeline, which have one partition.
    private func pending() throws(RedisError) -> [PendingEntry] {
        var page: [PendingEntry] = []
        try consumer.redis.call(
            .consumer, within: ConsumerRun.answerLimit, isQuestion: true
        ) { session throws(RedisError) in
            for reply in try session.send(pipeline) {
                if let error = reply.error { throw error }
                page += try PendingEntry.all(reply)
            }
        }
        return page
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
            taken = try TakenOver(try session.single(pipeline))
        }
        if !taken.gone.isEmpty {
            consumer.lost(taken.gone.count, "trimmed while another consumer had them")
        }
        guard !taken.entries.isEmpty else { return taken.cursor }
        consumer.claimed.add(taken.entries.count)
        // One by one: what lies between them is in work here already.
        pipeline.removeAll()
        for id in taken.entries { pipeline.command("XPENDING", key, group, "\(id)", "\(id)", "1") }
        let tried = withoutWaiting(try pending(), of: partition)
        return try take(tried, of: partition) ? taken.cursor : "0-0"
    }

    // MARK: Trying

    /// Hands entries of one partition to the writer, in groups as `PendingEntry` says.
    /// - Returns: false if it is to stop first.
    private func take(
        _ page: [PendingEntry], of partition: Int
    ) throws(RedisError) -> Bool {
        let due = page.filter { late.contains($0.id, of: partition) }
        let others = page.filter { !late.contains($0.id, of: partition) }
        var rest = PendingEntry.inOrderOfTrial(others)[...]
        while !rest.isEmpty {
            let group = PendingEntry.group(of: rest)
            rest = rest.dropFirst(group.count)
            guard try attempt(group, of: partition) else { return false }
        }
        // Behind the others, and each by itself: what is asked for with it would not come either.
        for index in due.indices {
            guard try attempt(due[index...index], of: partition) else { return false }
        }
        return true
    }

    /// Hands one group to the writer.
    /// - Returns: false if it is to stop first.
    private func attempt(
        _ group: ArraySlice<PendingEntry>, of partition: Int
    ) throws(RedisError) -> Bool {
        guard let first = group.first else { return true }
        if first.isSuspect {
            guard try waitForStore() else { return false }
        }
        let failure = try fetch(group, of: partition)
        guard try handOver(group, of: partition) else { return false }
        if first.isSuspect, !first.isGivenUp, try !waitForStore() {
            try count(group, of: partition, tries: 0)
            return false
        }
        if let failure { throw failure }
        return true
    }

    /// Gets the contents of `group`, and once they are there counts the try.
    /// - Returns: why the try may not have been counted. It is made all the same: if it were not, the
    ///   counts would be of answers that were lost.
    private func fetch(
        _ group: ArraySlice<PendingEntry>, of partition: Int
    ) throws(RedisError) -> RedisError? {
        try fetchContents(of: group, of: partition)
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
        consumer.log.error("an entry that ends the process would not be found out") {
            $0.add("error", error)
        }
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
        _ group: ArraySlice<PendingEntry>, of partition: Int
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
            batch.isSuspect = entry.isSuspect
            batch.add(entry.id, of: partition)
            if let fields = copies.fields(of: index) {
                if entry.isGivenUp {
                    decoder.giveUp(fields, of: entry.id, partition, into: batch)
                } else {
                    decoder.decode(fields, of: entry.id, partition, into: batch)
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
