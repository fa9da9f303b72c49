/// Values whose name says that they are secret: `password=…`, `"api_key": "…"`, `?token=…`.
extension Scanner {
    private static let nameLimit = 64
    private static let quotedLimit = 4096

    /// `sign` is at `=` or `:`.
    mutating func lookAtAssignment(_ sign: Int) -> Int {
        var end = sign
        while sign - end < 3, text[end - 1] == 0x20 { end -= 1 }
        if text[end - 1] == 0x22 || text[end - 1] == 0x27 {
            end -= 1
            if text[end - 1] == UInt8(ascii: "\\") { end -= 1 }
        }
        var start = end
        while end - start < Scanner.nameLimit, text.isIn(ByteClass.name, start - 1) { start -= 1 }
        // A bracket within it is the end of something else: of a placeholder, mostly.
        if let bracket = (start..<max(start, end - 1)).last(where: { text[$0] == UInt8(ascii: "]") }
        ) {
            start = bracket + 1
        }
        guard start < end, !holdsPlaceholder(start, end), !beginsHash(start, sign) else {
            return sign + 1
        }
        let isInURL =
            text[start - 1] == UInt8(ascii: "?") || text[start - 1] == UInt8(ascii: "&")
            || text[start - 1] == UInt8(ascii: ";")
        let name = UnsafeRawBufferPointer(start: text.base + start, count: end - start)
        let strength = SecretName.strength(name, inURL: isInURL && text[sign] == 0x3D)
        guard strength != .none else { return sign + 1 }
        return lookAtValue(after: sign, strength, isInURL: isInURL, name)
    }

    /// `[TOKEN]: 5`: what an earlier pass left is no name. `user[token]` is one.
    private func holdsPlaceholder(_ start: Int, _ end: Int) -> Bool {
        text[end - 1] == UInt8(ascii: "]")
            && (start..<end).contains {
                text[$0] == UInt8(ascii: "[") && text.isIn(ByteClass.upper, $0 + 1)
            }
    }

    /// `[JWT:k1:…]`: a hash that an earlier pass left, in its whole form, so that nobody can hide more
    /// in it than a hash has bits. Its key's name has 16 characters at most, and its digits are 20.
    private func beginsHash(_ start: Int, _ sign: Int) -> Bool {
        guard text[start] == UInt8(ascii: "["), text.isIn(ByteClass.upper, start + 1) else {
            return false
        }
        let id = text.end(of: ByteClass.alphanumeric, from: sign + 1, limit: 17)
        guard id > sign + 1, id <= sign + 17, text[id] == 0x3A else { return false }
        let digits = id + 1
        return (digits..<digits + 20).allSatisfy { text[$0] &- UInt8(ascii: "a") < 16 }
            && text[digits + 20] == UInt8(ascii: "]")
    }

    private mutating func lookAtValue(
        after sign: Int, _ strength: SecretName.Strength, isInURL: Bool,
        _ name: UnsafeRawBufferPointer
    ) -> Int {
        var start = sign + 1
        // `==` and `=>` compare and map; `::` names.
        if text[start] == text[sign] { return start + 1 }
        if text[sign] == 0x3D, text[start] == 0x3E { start += 1 }
        while start - sign < 4, text[start] == 0x20 { start += 1 }
        let (first, end, isQuoted) = value(at: start, isLine: SecretName.takesLine(name))
        guard end > first, !isPlaceholder(first, end), !isBracket(first) else {
            return max(start, sign + 1)
        }
        if text[sign] == 0x3A, !isQuoted, strength == .weak, !isStrict {
            guard end - first >= 8,
                (first..<end).contains(where: { text.isIn(ByteClass.digit, $0) })
            else { return sign + 1 }
        }
        let isPlain = Scanner.plainWords.contains {
            let length = $0.utf8CodeUnitCount
            return text.hasFolded($0, at: first)
                && (first + length == end || (first + length + 1 == end && text[end - 1] == 0x2E))
        }
        if isPlain { return end }
        add(isInURL ? .urlSecret : .key, first, end, "name of the value")
        return end
    }

    /// What `has_password=true` and `password: null` hold is no secret.
    private static let plainWords: [StaticString] = [
        "true", "false", "null", "nil", "none", "undefined", "yes", "no",
    ]

    private func isBracket(_ index: Int) -> Bool {
        text[index] == UInt8(ascii: "{")
            || (text[index] == UInt8(ascii: "[") && !text.has("[", at: index + 1))
    }

    /// The value's first byte, one after its last, and whether it stood in quotes.
    private func value(at start: Int, isLine: Bool) -> (Int, Int, Bool) {
        var first = start
        var isEscaped = false
        if text[first] == UInt8(ascii: "\\"), text[first + 1] == 0x22 {
            isEscaped = true
            first += 1
        }
        let quote = text[first]
        if quote == 0x22 || quote == 0x27 {
            first += 1
            var end = first
            while end < text.count, end - first < Scanner.quotedLimit {
                if text[end] == UInt8(ascii: "\\") {
                    if isEscaped, text[end + 1] == quote { return (first, end, true) }
                    end += 2
                    continue
                }
                if text[end] == quote { return (first, end, true) }
                end += 1
            }
            return (first, min(end, text.count), true)
        }
        var end = first
        if isLine {
            while end < text.count, text[end] >= 0x20, text[end] != 0x22 { end += 1 }
            while end > first, text[end - 1] == 0x20 { end -= 1 }
            return (first, end, false)
        }
        while end < text.count, !text.isIn(ByteClass.valueEnd, end) { end += 1 }
        return (first, end, false)
    }
}
