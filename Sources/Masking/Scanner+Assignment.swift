/// Values whose name says that they are secret: `password=…`, `"api_key": "…"`, `?token=…`.
extension Scanner {
    private static let nameLimit = 64
    /// Of spaces between a name, its sign and its value: columns are lined up with them.
    static let spaceLimit = 16

    /// What stands before a sign.
    private struct AssignedName {
        var start: Int
        var end: Int
        /// Backslashes before its closing quote, as JSON within a string has them; nil without quotes.
        var depth: Int?
        var isInURL = false
    }

    /// `sign` is at `=` or `:`.
    mutating func lookAtAssignment(_ sign: Int) -> Int {
        guard let name = name(before: sign) else { return sign + 1 }
        let bytes = UnsafeRawBufferPointer(
            start: text.base + name.start, count: name.end - name.start)
        let strength = SecretName.strength(bytes, inURL: name.isInURL && text[sign] == 0x3D)
        guard strength != .none else { return sign + 1 }
        return lookAtValue(after: sign, strength, name, isLine: SecretName.takesLine(bytes))
    }

    private func name(before sign: Int) -> AssignedName? {
        var end = sign
        while sign - end < Scanner.spaceLimit, text[end - 1] == 0x20 { end -= 1 }
        var depth: Int?
        if text[end - 1] == 0x22 || text[end - 1] == 0x27 {
            let count = backslashes(before: end - 1)
            end -= 1 + count
            depth = count
        }
        var start = end
        while end - start < Scanner.nameLimit, text.isIn(ByteClass.name, start - 1) { start -= 1 }
        // A bracket within it is the end of something else: of a placeholder, mostly.
        if let bracket = (start..<max(start, end - 1)).last(where: { text[$0] == UInt8(ascii: "]") }
        ) {
            start = bracket + 1
        }
        guard start < end, !holdsPlaceholder(start, end), !beginsHash(start, sign) else {
            return nil
        }
        let first = text[start - 1]
        let isInURL =
            first == UInt8(ascii: "?") || first == UInt8(ascii: "&") || first == UInt8(ascii: ";")
        return AssignedName(start: start, end: end, depth: depth, isInURL: isInURL)
    }

    /// `[TOKEN]: 5`: what an earlier pass left is no name. `user[token]` is one.
    private func holdsPlaceholder(_ start: Int, _ end: Int) -> Bool {
        text[end - 1] == UInt8(ascii: "]")
            && (start..<end).contains {
                text[$0] == UInt8(ascii: "[") && text.isIn(ByteClass.upper, $0 + 1)
            }
    }

    /// `[JWT:k1:…]`: a hash that an earlier pass left.
    private func beginsHash(_ start: Int, _ sign: Int) -> Bool {
        guard text[start] == UInt8(ascii: "["), text.isIn(ByteClass.upper, start + 1) else {
            return false
        }
        return isHash(from: sign)
    }

    private mutating func lookAtValue(
        after sign: Int, _ strength: SecretName.Strength, _ name: AssignedName, isLine: Bool
    ) -> Int {
        var start = sign + 1
        // `==` and `=>` compare and map; `::` names.
        if text[start] == text[sign] { return start + 1 }
        if text[sign] == 0x3D, text[start] == 0x3E { start += 1 }
        start = startOfValue(after: start)
        guard !beginsPlaceholder(start) else { return max(start, sign + 1) }
        guard !isProse(start, sign, strength, name) else {
            // Once a match in it is replaced it may look different.
            hasDoubt = true
            return max(start, sign + 1)
        }
        let value = value(
            at: start, of: sign, isLine: isLine,
            brackets: takesBrackets(strength, name) ? name.depth ?? 0 : nil)
        // What is replaced within it may leave its bracket open.
        if isBracket(start) { hasDoubt = true }
        guard value.end > value.start, !isPlaceholder(value.start, value.end) else {
            return max(start, sign + 1)
        }
        return add(value, isInURL: name.isInURL)
    }

    /// Prose puts a bracket after a weak name, JSON has its names in quotes, and in a URL brackets mean
    /// nothing.
    private func takesBrackets(_ strength: SecretName.Strength, _ name: AssignedName) -> Bool {
        !name.isInURL && (strength == .strong || name.depth != nil)
    }

    /// Whether what follows a weak name looks like no secret.
    private func isProse(
        _ start: Int, _ sign: Int, _ strength: SecretName.Strength, _ name: AssignedName
    ) -> Bool {
        if isBracket(start) { return !name.isInURL && !takesBrackets(strength, name) }
        guard text[sign] == 0x3A, strength == .weak, !isStrict else { return false }
        return !isDelimited(start, of: sign) && !looksRandom(from: start, of: sign)
    }

    private mutating func add(_ value: NamedValue, isInURL: Bool) -> Int {
        let (start, end) = (value.start, value.end)
        if isPlainWord(start, end) { return end }
        add(isInURL ? .urlSecret : .key, start, end, "name of the value")
        return end
    }

    /// What `has_password=true` and `password: null` hold is no secret.
    private func isPlainWord(_ start: Int, _ end: Int) -> Bool {
        Scanner.plainWords.contains {
            let length = $0.utf8CodeUnitCount
            return text.hasFolded($0, at: start)
                && (start + length == end || (start + length + 1 == end && text[end - 1] == 0x2E))
        }
    }

    private static let plainWords: [StaticString] = [
        "true", "false", "null", "nil", "none", "undefined", "yes", "no",
    ]

    // MARK: Placeholders

    /// Whether what an earlier pass left begins at `index`: `[REDACTED]`, `[EMAIL:k1:…]`.
    private func beginsPlaceholder(_ index: Int) -> Bool {
        guard text[index] == UInt8(ascii: "["), text.isIn(ByteClass.upper, index + 1) else {
            return false
        }
        var end = index + 1
        while text.isIn(ByteClass.upper | ByteClass.digit, end) || text[end] == 0x5F { end += 1 }
        return text[end] == UInt8(ascii: "]") || (text[end] == 0x3A && isHash(from: end))
    }

    /// Whether `:k1:…]` stands at `colon`: a hash in its whole form, so that nobody can hide more in it
    /// than a hash has bits. Its key's name has 16 characters at most, and its digits are 20.
    private func isHash(from colon: Int) -> Bool {
        let id = text.end(of: ByteClass.alphanumeric, from: colon + 1, limit: 17)
        guard id > colon + 1, id <= colon + 17, text[id] == 0x3A else { return false }
        let digits = id + 1
        return (digits..<digits + 20).allSatisfy { text[$0] &- UInt8(ascii: "a") < 16 }
            && text[digits + 20] == UInt8(ascii: "]")
    }
}
