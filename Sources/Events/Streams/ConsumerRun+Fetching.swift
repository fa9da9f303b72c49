import Primitives
import Redis
import Telemetry

/// Contents of pending entries, and what becomes of those that do not come.
extension ConsumerRun {
    private static let warningInterval = Duration.seconds(60)

    /// Those of a page that are to be tried now.
    func withoutWaiting(_ page: [PendingEntry], of partition: Int) -> [PendingEntry] {
        let now = MonotonicTime.now()
        return page.filter { !late.isWaiting($0.id, of: partition, at: now) }
    }

    /// Gets the contents of `group` into `copies`. An entry that is late is a group by itself.
    func fetchContents(
        of group: ArraySlice<PendingEntry>, of partition: Int
    ) throws(RedisError) {
        guard let first = group.first?.id else { return }
        copies.removeAll()
        pipeline.removeAll()
        pipeline.fetch(group, of: consumer.keys.names[partition])
        let ownLimit = late.limit(of: first, of: partition)
        var limit = answerLimit
        if let ownLimit {
            limit.raise(to: ownLimit)
        }
        let start = MonotonicTime.now()
        do throws(RedisError) {
            try consumer.redis.call(
                .consumer, within: limit.current, isQuestion: true
            ) { session throws(RedisError) in
                for (entry, reply) in zip(group, try session.send(pipeline)) {
                    if let error = reply.error { throw error }
                    try copies.add(reply, of: entry.id)
                }
            }
        } catch {
            if error.code.endsConnection { missed(group, of: partition, error, within: limit) }
            throw error
        }
        if let ownLimit {
            late.arrived(first, of: partition)
            // The next may be as large.
            answerLimit.raise(to: ownLimit)
        }
        answerLimit.answered(after: MonotonicTime.now().since(start))
    }

    /// Contents did not come. Of several entries it may have been too much; a single one is passed
    /// over from now on, until its time has come.
    private func missed(
        _ group: ArraySlice<PendingEntry>, of partition: Int, _ error: RedisError,
        within limit: AnswerLimit
    ) {
        askForLess(than: group.count)
        guard group.count == 1, let entry = group.first?.id else { return }
        let isFirst = !late.contains(entry, of: partition)
        if isFirst, error.code == .timeout { answerLimit.timedOut() }
        let now = MonotonicTime.now()
        guard let failures = late.failed(entry, of: partition, error.code, within: limit, at: now)
        else { return }
        guard late.isStuck(failures), now >= nextLateWarning else { return }
        nextLateWarning = now + ConsumerRun.warningInterval
        consumer.log.warning("an entry of a stream does not arrive and stays pending") {
            $0.add("stream", consumer.keys.names[partition])
            $0.add("entry", "\(entry)")
            $0.add("tries", failures)
            $0.add("late", late.count)
            $0.add("error", error)
        }
    }
}
