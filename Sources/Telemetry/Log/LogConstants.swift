import Masking
import Primitives

/// Keys and messages of the program as they stand in JSON, by their address: each is escaped once
/// and copied from then on. The back end's thread alone uses it.
struct LogConstants: ~Copyable {
    private struct Entry {
        var address: UInt = 0
        var count = 0
        var place = 0..<0
        /// As a key it says that its values are secret.
        var isSecretName = false
    }

    /// Some hundred constants; where two meet in a slot they take turns.
    private static let slotBits = 10
    /// Beyond it all are forgotten: only constants that take turns come so far.
    private static let limitBytes = 256 << 10

    private var entries = [Entry](repeating: Entry(), count: 1 << slotBits)
    private var texts = ByteBuffer(capacity: 16 << 10)

    /// Appends the constant as a JSON string.
    mutating func append(_ constant: UnsafeRawBufferPointer, to line: inout ByteBuffer) {
        let place = entry(constant).place
        line.append(UnsafeRawBufferPointer(rebasing: texts.span[place]))
    }

    /// Whether the constant, as a key, says that its values are secret.
    mutating func isSecretName(_ constant: UnsafeRawBufferPointer) -> Bool {
        entry(constant).isSecretName
    }

    @inline(__always)
    private mutating func entry(_ constant: UnsafeRawBufferPointer) -> Entry {
        let address = UInt(bitPattern: constant.baseAddress)
        let slot = Int((UInt64(address) &* 0x9E37_79B9_7F4A_7C15) >> (64 - UInt64(Self.slotBits)))
        let entry = entries[slot]
        if entry.address == address, entry.count == constant.count { return entry }
        return learn(constant, address, slot)
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
            address: address, count: constant.count, place: start..<texts.count,
            isSecretName: SecretName.strength(constant) != .none)
        return entries[slot]
    }
}
