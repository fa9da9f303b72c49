import EventCoding
import Primitives
import Redis
import Telemetry

/// Reads what is pending for a store's consumer once more, and hands it to the writer in groups as
/// `PendingEntry` says. The consumer's thread only.
final class PendingTrials {
    private let consumer: StreamConsumer
    private let reader: GroupReader
    private let handover: StreamHandover
    private let decoder: StreamEntryDecoder
    private var copies = EntryCopies()
    private var late: LateEntries
    private var nextWarning = MonotonicTime(nanoseconds: 0)

    private static let warningInterval = Duration.seconds(60)
    private static let pageLimit = 500

    init(
        _ consumer: StreamConsumer, _ reader: GroupReader, _ handover: StreamHandover,
        _ decoder: StreamEntryDecoder
    ) {
        self.consumer = consumer
        self.reader = reader
        self.handover = handover
        self.decoder = decoder
        late = LateEntries(partitions: consumer.keys.count)
    }

    /// An entry that did not arrive is to be asked for again.
    var isDue: Bool { late.isDue(at: .now()) }

    /// Entries of one page of what is pending.
    var pageCount: Int { min(reader.size.count, PendingTrials.pageLimit) }

    /// Hands over all entries that are pending in a partition, once.
    /// - Returns: false if it is to stop first.
    func run(_ partition: Int) throws(RedisError) -> Bool {
        var after = StreamEntryID.zero
        var stillLate: Set<StreamEntryID> = []
        while try handover.waitForRoom() {
            try handover.acknowledge()
            let page = try reader.pending(partition, after: after, count: pageCount)
            guard let last = page.last?.id else {
                late.keep(only: stillLate, of: partition)
                return true
            }
            let now = MonotonicTime.now()
            let tried = page.filter { !late.isWaiting($0.id, of: partition, at: now) }
            consumer.redelivered.add(tried.count)
            guard try attempt(tried, of: partition) else { return false }
            for entry in page where late.contains(entry.id, of: partition) {
                stillLate.insert(entry.id)
            }
            after = last
        }
        return false
    }

    /// - Returns: false if it is to stop first.
    private func attempt(_ page: [PendingEntry], of partition: Int) throws(RedisError) -> Bool {
        let due = page.filter { late.contains($0.id, of: partition) }
        let others = page.filter { !late.contains($0.id, of: partition) }
        var rest = PendingEntry.inOrderOfTrial(others)[...]
        while !rest.isEmpty {
            let group = PendingEntry.group(of: rest)
            rest = rest.dropFirst(group.count)
            guard try attempt(group: group, of: partition) else { return false }
        }
        // After the others, and each by itself: what is asked for with it would not come either.
        for index in due.indices {
            guard try attempt(group: due[index...index], of: partition) else { return false }
        }
        return true
    }

    /// Hands one group to the writer.
    /// - Returns: false if it is to stop first.
    private func attempt(
        group: ArraySlice<PendingEntry>, of partition: Int
    ) throws(RedisError) -> Bool {
        guard let first = group.first else { return true }
        if first.isSuspect {
            guard try handover.waitForStore() else { return false }
        }
        let time = try fetch(group, of: partition)
        // A count that fails keeps no try from being made: if it did, the counts would be of answers
        // that were lost.
        var failure: RedisError?
        if !first.isGivenUp {
            do throws(RedisError) { try reader.count(group, tries: 1, of: partition) } catch {
                failure = error
            }
        }
        guard try handOver(group, of: partition, after: time) else { return false }
        if first.isSuspect, !first.isGivenUp, try !handover.waitForStore() {
            try reader.count(group, tries: 0, of: partition)
            return false
        }
        if let failure { throw failure }
        return true
    }

    /// Gets the contents of `group`. An entry that is late is a group by itself.
    /// - Returns: the time that the answer took.
    private func fetch(
        _ group: ArraySlice<PendingEntry>, of partition: Int
    ) throws(RedisError) -> Duration {
        guard let first = group.first?.id else { return .zero }
        let ownLimit = late.limit(of: first, of: partition)
        var limit = reader.size.patience
        if let ownLimit { limit.raise(to: ownLimit) }
        do throws(RedisError) {
            let time = try reader.fetch(
                group, of: partition, into: &copies, within: ownLimit == nil ? nil : limit)
            if let ownLimit {
                late.arrived(first, of: partition)
                // The next may be as large.
                reader.size.waitAsLong(as: ownLimit)
            }
            return time
        } catch {
            if error.code.endsConnection, group.count == 1 {
                missed(first, of: partition, error, within: limit)
            }
            throw error
        }
    }

    /// The contents of a single entry did not come: it is passed over from now on, until its time has
    /// come.
    private func missed(
        _ entry: StreamEntryID, of partition: Int, _ error: RedisError, within limit: AnswerLimit
    ) {
        let now = MonotonicTime.now()
        guard let failures = late.failed(entry, of: partition, error.code, within: limit, at: now),
            late.isStuck(failures), now >= nextWarning
        else { return }
        nextWarning = now + PendingTrials.warningInterval
        consumer.log.warning("an entry of a stream does not arrive and stays pending") {
            $0.add("stream", consumer.keys.names[partition])
            $0.add("entry", "\(entry)")
            $0.add("tries", failures)
            $0.add("late", late.count)
            $0.add("error", error)
        }
    }

    /// Decodes what was fetched, and hands it over in batches that are not too large.
    /// - Returns: false if it is to stop first.
    private func handOver(
        _ group: ArraySlice<PendingEntry>, of partition: Int, after time: Duration
    ) throws(RedisError) -> Bool {
        var batch = consumer.queue.take()
        var bytes = 0
        for (index, entry) in group.enumerated() where index < copies.count {
            if batch.byteCount > ReadSize.budgetBytes {
                bytes += batch.byteCount
                handover.put(batch)
                guard try handover.waitForRoom() else { return false }
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
        // A page says little of how much a read of all partitions may bring: it only leads back to
        // where that began.
        reader.size.succeeded(
            asked: pageCount, entries: group.count, bytes: bytes + batch.byteCount,
            upTo: ReadSize.first, after: time)
        handover.put(batch)
        copies.removeAll()
        return true
    }
}
