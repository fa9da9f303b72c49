/// The text of a JSON string without its escapes, and where each of its bytes came from.
struct UnescapedText {
    private(set) var bytes: [UInt8] = []
    /// For each byte the offset of its source, and one more: the source's count.
    private(set) var origins: [Int32] = []

    /// - Parameter content: what stands between the quotes. Nil if an escape is none. Half of a
    ///   surrogate pair becomes U+FFFD.
    init?(_ content: UnsafeRawBufferPointer) {
        bytes.reserveCapacity(content.count)
        origins.reserveCapacity(content.count + 1)
        var index = 0
        while index < content.count {
            guard content[index] == UInt8(ascii: "\\") else {
                put(content[index], index)
                index += 1
                continue
            }
            guard let length = escape(content, index) else { return nil }
            index += length
        }
        origins.append(Int32(content.count))
    }

    private mutating func put(_ byte: UInt8, _ origin: Int) {
        bytes.append(byte)
        origins.append(Int32(origin))
    }

    /// - Returns: how long the escape at `index` is; nil if it is none.
    private mutating func escape(_ content: UnsafeRawBufferPointer, _ index: Int) -> Int? {
        guard index + 1 < content.count else { return nil }
        switch content[index + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
            put(content[index + 1], index)
        case UInt8(ascii: "n"): put(0x0A, index)
        case UInt8(ascii: "r"): put(0x0D, index)
        case UInt8(ascii: "t"): put(0x09, index)
        case UInt8(ascii: "b"): put(0x08, index)
        case UInt8(ascii: "f"): put(0x0C, index)
        case UInt8(ascii: "u"): return unicode(content, index)
        default: return nil
        }
        return 2
    }

    private mutating func unicode(_ content: UnsafeRawBufferPointer, _ index: Int) -> Int? {
        guard let unit = UnescapedText.unit(content, index) else { return nil }
        var value = UInt32(unit)
        var length = 6
        if 0xD800..<0xDC00 ~= unit, let low = UnescapedText.unit(content, index + 6),
            0xDC00..<0xE000 ~= low
        {
            value = 0x10000 + (UInt32(unit) - 0xD800) << 10 + (UInt32(low) - 0xDC00)
            length = 12
        }
        let scalar = Unicode.Scalar(value) ?? "\u{FFFD}"
        for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter { put(byte, index) }
        return length
    }

    /// The four digits of `\u1234` at `index`.
    private static func unit(_ content: UnsafeRawBufferPointer, _ index: Int) -> UInt16? {
        guard index + 6 <= content.count, content[index] == UInt8(ascii: "\\"),
            content[index + 1] == UInt8(ascii: "u")
        else { return nil }
        var unit: UInt16 = 0
        for byte in content[index + 2..<index + 6] {
            guard ByteClass.table[Int(byte)] & ByteClass.hex != 0 else { return nil }
            unit = unit << 4 | IPAddress.hexValue(byte)
        }
        return unit
    }
}
