import Primitives

/// Values of records as JSON. Most are short plain text and numbers of few digits, which have a
/// fast way here; everything else goes the common one.
enum LogJSON {
    /// Appends a JSON string. Bytes that are no UTF-8 become U+FFFD, so that the line stays JSON.
    static func append(_ text: UnsafeRawBufferPointer, to line: inout ByteBuffer) {
        guard isPlain(text) else {
            // Through a string, which repairs what is no UTF-8.
            return line.append(jsonString: String(decoding: text, as: UTF8.self))
        }
        let space = line.spare(text.count + 2)
        guard let target = space.baseAddress else { return }
        target.storeBytes(of: UInt8(ascii: "\""), as: UInt8.self)
        if let source = text.baseAddress {
            (target + 1).copyMemory(from: source, byteCount: text.count)
        }
        target.storeBytes(of: UInt8(ascii: "\""), toByteOffset: text.count + 1, as: UInt8.self)
        line.commit(text.count + 2)
    }

    /// Appends a number that reads back as `value`; what JSON cannot say becomes `null`.
    static func append(_ value: Double, to line: inout ByteBuffer) {
        // Six decimals cover milliseconds made of nanoseconds. The division is exact to the last
        // bit, so where it gives the value again, those decimals read back as the value.
        let scaled = (abs(value) * 1e6).rounded()
        guard scaled < 1e15, scaled / 1e6 == abs(value), value.sign == .plus else {
            return line.append(json: value)
        }
        let millionths = UInt64(scaled)
        line.append(decimal: millionths / 1_000_000)
        var fraction = millionths % 1_000_000
        var digits = 6
        while digits > 1, fraction % 10 == 0 {
            fraction /= 10
            digits -= 1
        }
        let space = line.spare(digits + 1)
        space[0] = UInt8(ascii: ".")
        for place in stride(from: digits, to: 0, by: -1) {
            space[place] = UInt8(truncatingIfNeeded: fraction % 10) + UInt8(ascii: "0")
            fraction /= 10
        }
        line.commit(digits + 1)
    }

    /// Whether all bytes are ASCII that needs no escape; eight at a time. May say no where the
    /// answer is yes.
    private static func isPlain(_ text: UnsafeRawBufferPointer) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let tops: UInt64 = 0x8080_8080_8080_8080
        var index = 0
        while index + 8 <= text.count {
            let word = text.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            // A byte is zero in these where it is the one that is looked for.
            let quotes = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
            let slashes = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
            let found =
                (word &- ones &* 0x20) | ((quotes &- ones) & ~quotes)
                | ((slashes &- ones) & ~slashes) | word
            if found & tops != 0 { return false }
            index += 8
        }
        while index < text.count {
            let byte = text[index]
            let isPlain =
                byte >= 0x20 && byte < 0x80 && byte != UInt8(ascii: "\"")
                && byte != UInt8(ascii: "\\")
            guard isPlain else { return false }
            index += 1
        }
        return true
    }
}
