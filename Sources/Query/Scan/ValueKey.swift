import Primitives

/// Values as bytes of a key: two values have the same bytes exactly if they are equal in a `GROUP BY`.
/// Numbers are equal by value, so `200.0` is written as the integer 200.
enum ValueKey {
    private static let null: UInt8 = 0
    static let integer: UInt8 = 1
    static let real: UInt8 = 2
    static let text: UInt8 = 3
    static let `true`: UInt8 = 4
    static let `false`: UInt8 = 5
    static let json: UInt8 = 6

    /// Appends `value` to `key`.
    /// - Returns: whether it was a real that is written as an integer.
    @inline(__always)
    static func append(_ value: QueryValue, to key: inout ByteBuffer) -> Bool {
        switch value {
        case .null: key.append(null)
        case .integer(let number): append(number, to: &key)
        case .real(let number):
            if let whole = Int64(exactly: number) {
                append(whole, to: &key)
                return true
            }
            append(real: number, to: &key)
        case .text(let bytes): append(bytes, text, to: &key)
        case .boolean(let flag): key.append(flag ? `true` : `false`)
        case .json(let bytes): append(bytes, json, to: &key)
        }
        return false
    }

    /// Appends `value` so that `take` gives it back as it is: a real stays one.
    static func append(exactly value: QueryValue, to key: inout ByteBuffer) {
        guard case .real(let number) = value else {
            _ = append(value, to: &key)
            return
        }
        append(real: number, to: &key)
    }

    /// Appends a real as such, also where it is a whole number.
    static func append(real number: Double, to key: inout ByteBuffer) {
        key.append(real)
        key.append(littleEndian: number.bitPattern)
    }

    private static func append(_ number: Int64, to key: inout ByteBuffer) {
        key.append(integer)
        key.append(littleEndian: UInt64(bitPattern: number))
    }

    private static func append(
        _ bytes: UnsafeRawBufferPointer, _ tag: UInt8, to key: inout ByteBuffer
    ) {
        key.append(tag, counted: bytes)
    }

    /// Reads the value at `offset` and moves behind it.
    static func take(_ key: UnsafeRawBufferPointer, _ offset: inout Int) -> QueryValue {
        let tag = key[offset]
        offset += 1
        switch tag {
        case integer: return .integer(Int64(bitPattern: takeWord(key, &offset)))
        case real: return .real(Double(bitPattern: takeWord(key, &offset)))
        case text: return .text(takeBytes(key, &offset))
        case json: return .json(takeBytes(key, &offset))
        case `true`: return .boolean(true)
        case `false`: return .boolean(false)
        default: return .null
        }
    }

    private static func takeWord(_ key: UnsafeRawBufferPointer, _ offset: inout Int) -> UInt64 {
        defer { offset += 8 }
        return UInt64(littleEndian: key.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    private static func takeBytes(
        _ key: UnsafeRawBufferPointer, _ offset: inout Int
    ) -> UnsafeRawBufferPointer {
        let count = Int(
            UInt32(littleEndian: key.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
        offset += 4 + count
        return UnsafeRawBufferPointer(rebasing: key[offset - count..<offset])
    }
}
