import Primitives

/// Keys and messages of the program as they stand in JSON, by their address: each is escaped once
/// and copied from then on. The back end's thread alone uses it.
struct LogConstants: ~Copyable {
    private struct Entry {
        var address: UInt = 0
        var count = 0
        var place = 0..<0
    }

    /// Some hundred constants; where two meet in a slot they take turns.
    private static let slotBits = 10
    /// Beyond it all are forgotten: only constants that take turns come so far.
    private static let limitBytes = 256 << 10

    private var entries = [Entry](repeating: Entry(), count: 1 << slotBits)
    private var texts = ByteBuffer(capacity: 16 << 10)

    /// Appends the constant as a JSON string.
    mutating func append(_ constant: UnsafeRawBufferPointer, to line: inout ByteBuffer) {
        let address = UInt(bitPattern: constant.baseAddress)
        let slot = Int((UInt64(address) &* 0x9E37_79B9_7F4A_7C15) >> (64 - UInt64(Self.slotBits)))
        var entry = entries[slot]
        if entry.address != address || entry.count != constant.count {
            entry = learn(constant, address, slot)
        }
        line.append(UnsafeRawBufferPointer(rebasing: texts.span[entry.place]))
    }

    private mutating func learn(
        _ constant: UnsafeRawBufferPointer, _ address: UInt, _ slot: Int
    ) -> Entry {
        if texts.count > LogConstants.limitBytes {
            texts.removeAll()
            for index in entries.indices { entries[index] = Entry() }
        }
        let start = texts.count
        texts.append(jsonString: constant)
        entries[slot] = Entry(
            address: address, count: constant.count, place: start..<texts.count)
        return entries[slot]
    }
}
