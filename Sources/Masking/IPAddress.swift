/// Internet addresses in text: RFC 791 dotted form, RFC 4291 section 2.2.
enum IPAddress {
    /// One after four octets without leading zeros at `start`; nil if they are not there.
    static func endOfIPv4(_ text: ScanText, _ start: Int) -> Int? {
        var index = start
        for octet in 0..<4 {
            if octet > 0 {
                guard text[index] == UInt8(ascii: ".") else { return nil }
                index += 1
            }
            let first = index
            var value = 0
            while index - first < 4, text.isIn(ByteClass.digit, index) {
                value = value * 10 + Int(text[index] & 15)
                index += 1
            }
            guard index > first, value < 256, index - first == 1 || text[first] != 0x30 else {
                return nil
            }
        }
        return index
    }

    /// Whether `/n` follows, and one after it. A network of 24 bits or fewer is no single host.
    static func prefixLength(_ text: ScanText, _ end: Int) -> (isNetwork: Bool, end: Int) {
        guard text[end] == UInt8(ascii: "/") else { return (false, end) }
        let digits = text.end(of: ByteClass.digit, from: end + 1, limit: 3)
        guard digits > end + 1, digits <= end + 4, !text.isIn(ByteClass.alphanumeric, digits) else {
            return (false, end)
        }
        var bits = 0
        for index in end + 1..<digits { bits = bits * 10 + Int(text[index] & 15) }
        return bits <= 128 ? (true, digits) : (false, end)
    }

    /// Loopback, unspecified and broadcast addresses are nobody's.
    static func isExempt(_ text: ScanText, _ start: Int, _ end: Int) -> Bool {
        text.has("127.", at: start) || text.has("0.", at: start)
            || (text.has("255.255.255.255", at: start) && end - start == 15)
    }

    /// Whether the last octet is 0: with a prefix length it is the masked form already.
    static func isNetwork24(_ text: ScanText, _ start: Int, _ end: Int) -> Bool {
        text[end - 1] == 0x30 && text[end - 2] == UInt8(ascii: ".")
    }

    /// The groups of an IPv6 address.
    struct IPv6 {
        var groups: [UInt16]
        /// One after its last byte.
        var end: Int
        var isCompressed: Bool
        var digits: Int
    }

    /// The address at `start`; nil if none is there. At most 45 bytes are looked at.
    static func parseIPv6(_ text: ScanText, _ start: Int) -> IPv6? {
        var head: [UInt16] = []
        var tail: [UInt16] = []
        var isCompressed = false
        var digits = 0
        var index = start
        if text[index] == 0x3A {
            guard text[index + 1] == 0x3A else { return nil }
            isCompressed = true
            index += 2
        }
        while head.count + tail.count < 8 {
            let groupEnd = text.end(of: ByteClass.hex, from: index, limit: 5)
            guard groupEnd > index else { break }
            if text[groupEnd] == UInt8(ascii: "."), let end = endOfIPv4(text, index) {
                let mapped = octets(text, index)
                for pair in [mapped.0 << 8 | mapped.1, mapped.2 << 8 | mapped.3] {
                    if isCompressed { tail.append(pair) } else { head.append(pair) }
                }
                digits += 4
                index = end
                break
            }
            guard groupEnd - index <= 4 else { return nil }
            var value: UInt16 = 0
            for place in index..<groupEnd {
                value = value << 4 | hexValue(text[place])
                if text.isIn(ByteClass.digit, place) { digits += 1 }
            }
            if isCompressed { tail.append(value) } else { head.append(value) }
            index = groupEnd
            guard text[index] == 0x3A else { break }
            if text[index + 1] == 0x3A {
                guard !isCompressed else { return nil }
                isCompressed = true
                index += 2
            } else if text.isIn(ByteClass.hex, index + 1), head.count + tail.count < 8 {
                index += 1
            } else {
                break
            }
        }
        let count = head.count + tail.count
        guard isCompressed ? count < 8 : count == 8 else { return nil }
        let gap = [UInt16](repeating: 0, count: 8 - count)
        return IPv6(
            groups: head + gap + tail, end: index, isCompressed: isCompressed, digits: digits)
    }

    static func octets(_ text: ScanText, _ start: Int) -> (UInt16, UInt16, UInt16, UInt16) {
        var parts: [UInt16] = [0]
        var index = start
        while parts.count <= 4 {
            if text.isIn(ByteClass.digit, index) {
                parts[parts.count - 1] = parts[parts.count - 1] &* 10 &+ UInt16(text[index] & 15)
            } else if text[index] == 0x2E, parts.count < 4 {
                parts.append(0)
            } else {
                break
            }
            index += 1
        }
        while parts.count < 4 { parts.append(0) }
        return (parts[0], parts[1], parts[2], parts[3])
    }

    static func hexValue(_ byte: UInt8) -> UInt16 {
        byte < 0x40 ? UInt16(byte & 15) : UInt16(byte & 15) + 9
    }
}
