import Redis

/// What the forwarder makes of Redis's replies to a pipeline.
extension ForwarderRun {
    /// What Redis said to a pipeline.
    struct Sent {
        /// Acknowledged from the first on without a hole.
        var records = 0
        /// The last id that each partition gave.
        var ends: [StreamEntryID]
        var failure: ForwarderError?
    }

    /// - Throws: if it is not Redis's answer to this pipeline. Nothing of it is believed then, and
    ///   the connection ends.
    func look(
        at replies: RedisReplies, _ session: borrowing RedisSession
    ) throws(RedisError) -> Sent {
        var sent = Sent(ends: try ends(in: replies, session))
        for index in counts.indices { counts[index] = 0 }
        var index = 0
        var acknowledged = encoder.partitions.count
        for reply in replies {
            guard index < encoder.partitions.count else {
                if sent.failure == nil { take(mark: reply) }
                break
            }
            let partition = Int(encoder.partitions[index])
            if reply.kind == .string {
                counts[partition] += 1
            } else if sent.failure == nil {
                acknowledged = index
                sent.failure = .redis(failure(reply, forwarder.keys.names[partition]))
            }
            index += 1
        }
        // Records without events ask for nothing.
        sent.records = records.firstIndex { $0.commands > acknowledged } ?? records.count
        forwarder.continuity.acknowledged(sent.ends, counts: counts)
        noteTaken(replies, hasFailed: sent.failure != nil)
        return sent
    }

    private func failure(_ reply: RedisReply, _ key: String) -> RedisError {
        let error = reply.error ?? RedisError(.unexpectedReply, "XADD was not answered with an id")
        return error.naming(key)
    }

    /// The last id that each partition gave; `.zero` for one that gave none.
    ///
    /// An id that is none, or that lies below what its partition gave before, is no proof that Redis
    /// has the events. A stream that was emptied may give lower ids, and so does one on another
    /// server; a look at Redis finds that, and its ids are those that count from then on.
    private func ends(
        in replies: RedisReplies, _ session: borrowing RedisSession
    ) throws(RedisError) -> [StreamEntryID] {
        var ends = Array(repeating: StreamEntryID.zero, count: counts.count)
        let before = forwarder.continuity.lastIDs
        for (index, reply) in replies.enumerated() where index < encoder.partitions.count {
            if reply.kind == .error { continue }
            let partition = Int(encoder.partitions[index])
            guard reply.kind == .string, let id = reply.bytes.flatMap({ StreamEntryID($0) }),
                id > max(ends[partition], before[partition])
            else {
                forwarder.continuity.suspect()
                throw session.reject(failure(reply, forwarder.keys.names[partition]))
            }
            ends[partition] = id
        }
        return ends
    }

    /// Remembers how far each partition is: up to the first that it refused, or all the way. What it
    /// took behind one that it refused is sent again.
    private func noteTaken(_ replies: RedisReplies, hasFailed: Bool) {
        var places = isSendingGap ? takenRows : taken
        var hasRefused = Array(repeating: false, count: places.count)
        if hasFailed {
            for (index, reply) in replies.enumerated() where index < encoder.partitions.count {
                let partition = Int(encoder.partitions[index])
                if reply.kind != .string { hasRefused[partition] = true }
                guard !hasRefused[partition] else { continue }
                places[partition] = max(places[partition], encoder.places[index])
            }
        }
        for partition in places.indices where !hasRefused[partition] {
            places[partition] = max(places[partition], encoder.end)
        }
        if isSendingGap { takenRows = places } else { taken = places }
    }

    /// HSET answers how many fields are new. Where it is refused, for lack of room or rights, the
    /// events are there all the same.
    private func take(mark reply: RedisReply) {
        guard let added = reply.integer else { return }
        let sequence = records.last?.sequence ?? note.position
        guard !forwarder.continuity.marked(sequence, isNew: added == 1) else { return }
        hasLostMark = true
        forwarder.continuity.suspect()
    }
}

extension RedisError {
    /// The same, said of a key: Redis does not name the one it means.
    func naming(_ key: String) -> RedisError { RedisError(code, "\(key): \(message)") }
}
