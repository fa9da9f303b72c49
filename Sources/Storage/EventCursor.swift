import Primitives

/// Where a page of events ended: the next one begins after it. Opaque to clients.
package struct EventCursor: Sendable, Equatable {
    /// Of the last event seen, in milliseconds since 1970.
    let time: Int64
    let seq: Int64
    /// The store that `seq` is a number of; 0 for none.
    var store: UInt64 = 0

    /// First byte of the encoded form; another form would get another number.
    private static let version: UInt8 = 2
    private static let byteCount = 25

    init(time: Int64, seq: Int64) {
        self.time = time
        self.seq = seq
    }

    /// Reads what `text` wrote; nil for anything else.
    package init?(text: String) {
        guard text.utf8.count < 64, let bytes = Base64URL.decode(text),
            bytes.count == EventCursor.byteCount, bytes[0] == EventCursor.version
        else { return nil }
        time = EventCursor.integer(bytes[1..<9])
        seq = EventCursor.integer(bytes[9..<17])
        store = UInt64(bitPattern: EventCursor.integer(bytes[17..<25]))
        guard seq > 0, Timestamp.range.contains(time) else { return nil }
    }

    package var text: String {
        var bytes = [EventCursor.version]
        for value in [time, seq, Int64(bitPattern: store)] {
            withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
        }
        return Base64URL.encode(bytes)
    }

    /// The same place in another store, as far as there is one: the numbers of events of the same
    /// millisecond differ there, so all of those come again.
    var elsewhere: EventCursor { EventCursor(time: time, seq: .max) }

    /// Whether a page that began at `other` got beyond the millisecond of that cursor.
    package func isBelow(_ other: EventCursor) -> Bool { time < other.time }

    private static func integer(_ bytes: ArraySlice<UInt8>) -> Int64 {
        Int64(bitPattern: bytes.reduce(0) { $0 << 8 | UInt64($1) })
    }
}
