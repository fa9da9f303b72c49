/// Base64 and base64url as they stand in text, for a look at what a token says.
enum Base64Text {
    /// What the characters from `start` to `end` say, up to the first that is no base64.
    static func decode(_ text: ScanText, _ start: Int, _ end: Int) -> [UInt8] {
        var decoded: [UInt8] = []
        decoded.reserveCapacity((end - start) * 3 / 4)
        var bits: UInt32 = 0
        var count = 0
        for index in start..<max(start, end) {
            guard let value = value(text[index]) else { break }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                decoded.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return decoded
    }

    private static func value(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x41...0x5A: byte - 0x41
        case 0x61...0x7A: byte - 0x61 + 26
        case 0x30...0x39: byte - 0x30 + 52
        case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
        case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
