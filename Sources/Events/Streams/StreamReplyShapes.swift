import Redis

/// Whether a reply is what the command's documentation promises. What is no Redis, or no longer one,
/// may answer with anything, and "OK" is not "there is none": an entry that is believed to be gone is
/// acknowledged, and then it is.
extension RedisReply {
    /// XREADGROUP: keys with their entries, or null.
    /// - Throws: `.unexpectedReply`, as all of these.
    func expectNewEntries() throws(RedisError) {
        // Whatever answers at once with something else would be asked again at once.
        guard kind == .array || isNull else { throw RedisReply.unexpected("XREADGROUP") }
    }

    /// XRANGE of one id: that entry with its fields, or none.
    func expectContents(of entry: StreamEntryID) throws(RedisError) {
        guard kind == .array, elements.count <= 1 else { throw RedisReply.unexpected("XRANGE") }
        guard let found = elements.first else { return }
        var parts = found.elements
        guard let id = parts.next()?.bytes.flatMap({ StreamEntryID($0) }), id == entry,
            let fields = parts.next(), fields.kind == .array || fields.isNull
        else { throw RedisReply.unexpected("XRANGE") }
    }

    /// XPENDING with a range: ids with the consumer, the idle time and the deliveries.
    func expectPendingEntries() throws(RedisError) {
        guard kind == .array, PendingEntry.all(self).count == elements.count else {
            throw RedisReply.unexpected("XPENDING")
        }
    }

    /// XAUTOCLAIM with JUSTID: where to go on, the ids and, since Redis 7, those that are gone.
    func expectTakenOver() throws(RedisError) {
        var parts = elements
        guard let cursor = parts.next()?.bytes, StreamEntryID(cursor) != nil,
            let taken = parts.next(), taken.isListOfIDs, parts.next()?.isListOfIDs ?? true
        else { throw RedisReply.unexpected("XAUTOCLAIM") }
    }

    private var isListOfIDs: Bool {
        kind == .array && elements.allSatisfy { $0.bytes.flatMap { StreamEntryID($0) } != nil }
    }

    private static func unexpected(_ command: String) -> RedisError {
        RedisError(.unexpectedReply, "\(command) was not answered as it should be")
    }
}
