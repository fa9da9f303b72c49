/// A copy of a text without its disguises, and where each of its bytes came from.
///
/// Percent escapes and `\u` escapes of ASCII characters become the character; full-width forms
/// (U+FF01 to U+FF5E) become the ASCII they imitate; zero-width characters and soft hyphens go.
///
/// JSON within JSON escapes its backslashes once more, so the backslashes before `\u0041` go with it. A
/// quote that was escaped so (`\u0022`, `\\u0022` one level deeper) stays an escaped one: as many
/// backslashes stand before it as before `\"` and `\\\"` of the same level.
struct FoldedText {
    private(set) var bytes: [UInt8] = []
    /// For each byte the offset of its source, and one more: the source's count.
    private(set) var origins: [Int32] = []
    /// For each byte whether it was a percent escape or of full width. Such a one ends nothing that
    /// began without: `&` separates parameters and `%26` is part of one.
    private(set) var disguised: [Bool] = []

    /// - Parameter origins: where the bytes of `text` came from, if it is a copy itself.
    init(_ text: ScanText, origins outer: [Int32]? = nil) {
        bytes.reserveCapacity(text.count)
        origins.reserveCapacity(text.count + 1)
        disguised.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            let origin = outer?[index] ?? Int32(index)
            let (byte, length) = FoldedText.unit(text, index)
            if let byte {
                if text[index] == UInt8(ascii: "\\"), length > 1 {
                    putEscaped(byte, origin)
                } else {
                    put(byte, origin, isDisguised: length > 1)
                }
            }
            index += length
        }
        origins.append(outer?.last ?? Int32(text.count))
    }

    private mutating func put(_ byte: UInt8, _ origin: Int32, isDisguised: Bool = false) {
        bytes.append(byte)
        origins.append(origin)
        disguised.append(isDisguised)
    }

    /// `byte` was written as `\u` and four digits, with what backslashes stand before.
    private mutating func putEscaped(_ byte: UInt8, _ origin: Int32) {
        var first = origin
        var backslashes = 1
        while backslashes < Scanner.backslashLimit, bytes.last == UInt8(ascii: "\\") {
            bytes.removeLast()
            disguised.removeLast()
            first = origins.removeLast()
            backslashes += 1
        }
        if byte == UInt8(ascii: "\"") {
            // One is of the first level, two and three of the second, four to seven of the third.
            let level = Int.bitWidth - backslashes.leadingZeroBitCount
            for _ in 1..<1 << level { put(UInt8(ascii: "\\"), first) }
        }
        put(byte, first)
    }

    /// `name` without disguises; nil if it has none.
    static func undisguised(_ name: UnsafeRawBufferPointer) -> [UInt8]? {
        guard let base = name.baseAddress else { return nil }
        let text = ScanText(base: base.assumingMemoryBound(to: UInt8.self), count: name.count)
        guard name.indices.contains(where: { hides(text, $0) }) else { return nil }
        return FoldedText(text).bytes
    }

    /// The span of the source that the folded span came from.
    func origin(of start: Int, _ end: Int) -> (Int, Int) {
        (Int(origins[start]), Int(origins[end]))
    }

    /// Whether a disguise begins at `index`.
    static func hides(_ text: ScanText, _ index: Int) -> Bool {
        let (byte, length) = unit(text, index)
        return length > 1 || byte != text[index]
    }

    /// The byte that stands at `index` once it is unfolded, nil for none, and how long its form is.
    private static func unit(_ text: ScanText, _ index: Int) -> (UInt8?, Int) {
        let byte = text[index]
        switch byte {
        case UInt8(ascii: "%"):
            guard let value = hex(text, index + 1, 2), value >= 0x20, value < 0x7F else { break }
            return (UInt8(value), 3)
        case UInt8(ascii: "\\"):
            guard text[index + 1] == UInt8(ascii: "u"), let value = hex(text, index + 2, 4),
                value >= 0x20, value < 0x7F, value != 0x5C
            else { break }
            return (UInt8(value), 6)
        case 0xC2 where text[index + 1] == 0xAD: return (nil, 2)
        case 0xE2:
            let isZeroWidth =
                (text[index + 1] == 0x80 && (0x8B...0x8F).contains(text[index + 2]))
                || (text[index + 1] == 0x81 && text[index + 2] == 0xA0)
            if isZeroWidth { return (nil, 3) }
        case 0xEF:
            if text[index + 1] == 0xBB, text[index + 2] == 0xBF { return (nil, 3) }
            // U+FF01 is EF BC 81, U+FF40 is EF BD 80.
            if text[index + 1] == 0xBC, (0x81...0xBF).contains(text[index + 2]) {
                return (text[index + 2] - 0x60, 3)
            }
            if text[index + 1] == 0xBD, (0x80...0x9E).contains(text[index + 2]) {
                return (text[index + 2] - 0x20, 3)
            }
        default: break
        }
        return (byte, 1)
    }

    private static func hex(_ text: ScanText, _ start: Int, _ count: Int) -> UInt16? {
        var value: UInt16 = 0
        for index in start..<start + count {
            guard text.isIn(ByteClass.hex, index) else { return nil }
            value = value << 4 | IPAddress.hexValue(text[index])
        }
        return value
    }
}
