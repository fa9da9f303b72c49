import Primitives

/// A place in the order in which a store took its events: what a tail gives out as `id:` and gets
/// back as `Last-Event-ID`. Opaque to clients.
///
/// A row's number means something in its own store alone, so the place names that store. It also
/// has a mark of its event by which another store can find the same event.
package struct TailPlace: Sendable, Equatable {
    /// What an event has in common in all stores.
    struct EventMark: Sendable, Equatable {
        /// Milliseconds since 1970; the index of times finds it.
        let time: Int64
        let hash: UInt64

        init(time: Int64, hash: UInt64) {
            self.time = time
            self.hash = hash
        }

        /// The source's length goes first, so that no source can pass for part of an id.
        init(time: Int64, source: String, id: String) {
            var identity = ByteBuffer(capacity: 128)
            identity.append(littleEndian: UInt64(source.utf8.count))
            identity.append(source)
            identity.append(id)
            self.time = time
            hash = Key128(hashing: identity.span, key: Key128(high: 0, low: 0)).high
        }
    }

    /// `EventStore.identity`; 0 for none.
    let store: UInt64
    let seq: Int64
    /// Nil for a place at which no event was sent.
    let event: EventMark?

    private static let version: UInt8 = 1
    private static let shortBytes = 17
    private static let longBytes = 33

    init(store: UInt64, seq: Int64, event: EventMark?) {
        self.store = store
        self.seq = seq
        self.event = event
    }

    /// Reads what `text` wrote, and the plain number that earlier versions gave out, which names no
    /// store; nil for anything else.
    package init?(text: String) {
        if let seq = Int64(text), seq >= 0, text.utf8.count < 20 {
            self.init(store: 0, seq: seq, event: nil)
            return
        }
        guard text.utf8.count < 64, let bytes = Base64URL.decode(text), bytes.count >= 17,
            bytes[0] == TailPlace.version
        else { return nil }
        let words = stride(from: 1, to: bytes.count, by: 8).map { start in
            bytes[start..<min(start + 8, bytes.count)].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        guard words[0] != 0, let seq = Int64(exactly: words[1]) else { return nil }
        switch bytes.count {
        case TailPlace.shortBytes: self.init(store: words[0], seq: seq, event: nil)
        case TailPlace.longBytes:
            let time = Int64(bitPattern: words[2])
            guard Timestamp.range.contains(time) else { return nil }
            self.init(store: words[0], seq: seq, event: EventMark(time: time, hash: words[3]))
        default: return nil
        }
    }

    package var text: String {
        var bytes = [TailPlace.version]
        var words = [store, UInt64(bitPattern: seq)]
        if let event { words += [UInt64(bitPattern: event.time), event.hash] }
        for word in words {
            withUnsafeBytes(of: word.bigEndian) { bytes.append(contentsOf: $0) }
        }
        return Base64URL.encode(bytes)
    }

    /// When the event of the place happened, in milliseconds since 1970.
    package var time: Int64? { event?.time }
}

/// Where a tail goes on that was at some place before.
package struct TailStart: Sendable, Equatable {
    package enum Kind: Sendable {
        /// The place is of this store.
        case same
        /// The place is of another store, and its event is here.
        case found
        /// The place is of another store, and its event is not here.
        case lost
    }

    package let kind: Kind
    /// Everything after it is to be sent.
    package let seq: Int64
    /// Of another store's place: how many rows come from before it, which were sent already or
    /// would be missing.
    package let overlap: Int64
}
