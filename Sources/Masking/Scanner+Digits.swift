/// What begins with a run of digits. A run is looked at once, at its first digit.
extension Scanner {
    mutating func lookAtDigits(_ start: Int) -> Int {
        let end = text.end(of: ByteClass.digit, from: start)
        let length = end - start
        let before = text[start - 1]
        if text.isIn(ByteClass.upper, start - 1), length >= 2, let found = iban(start) {
            return found
        }
        if before == UInt8(ascii: "+") || (before == 0x28 && text[start - 2] == UInt8(ascii: "+")),
            let found = internationalPhone(start)
        {
            return found
        }
        // Part of a word, a hexadecimal number or an identifier.
        if text.isIn(ByteClass.letter, start - 1) || before == UInt8(ascii: "_") { return end }
        if length <= 3, text[end] == UInt8(ascii: "."), let found = ipv4(start) { return found }
        if length == 3, let found = ssn(start) ?? nationalPhone(start) { return found }
        if length == 1, text[start] == UInt8(ascii: "1"), let found = trunkPhone(start) {
            return found
        }
        if length >= 12, let found = card(start, end) { return found }
        if length == 4, let found = separatedCard(start) { return found }
        if length <= 5, let found = phoneByContext(start, end) { return found }
        return end
    }

    // MARK: Internet addresses

    private mutating func ipv4(_ start: Int) -> Int? {
        guard let end = IPAddress.endOfIPv4(text, start) else { return nil }
        if text[start - 1] == UInt8(ascii: "."), text.isIn(ByteClass.digit, start - 2) {
            return nil
        }
        let isFollowed =
            text.isIn(ByteClass.alphanumeric, end)
            || (text[end] == UInt8(ascii: ".") && text.isIn(ByteClass.digit, end + 1))
        guard !isFollowed, isStrict || !isVersion(start, end) else {
            hasDoubt = true
            // The rest of a longer dotted number is no address either.
            return text.end(of: ByteClass.host, from: end)
        }
        let (isNetwork, suffixEnd) = IPAddress.prefixLength(text, end)
        if IPAddress.isExempt(text, start, end)
            || (isNetwork && IPAddress.isNetwork24(text, start, end))
        {
            return suffixEnd
        }
        add(.ipv4, start, suffixEnd, "four octets, no version number")
        return suffixEnd
    }

    /// `Chrome/120.0.0.0`, `libfoo-1.2.3.4`, `version 1.2.3.4`.
    private func isVersion(_ start: Int, _ end: Int) -> Bool {
        let hasPort = text[end] == UInt8(ascii: ":") && text.isIn(ByteClass.digit, end + 1)
        switch text[start - 1] {
        case UInt8(ascii: "/"):
            var index = start - 2
            while text.isIn(ByteClass.base64URL, index) { index -= 1 }
            let hasProduct = text.isIn(ByteClass.letter, start - 2) && text[index] != 0x2E
            return hasProduct && !hasPort
        case UInt8(ascii: "-"): return text.isIn(ByteClass.letter, start - 2)
        default: break
        }
        var index = start - 1
        while start - index <= 3, [0x20, 0x3A, 0x3D, 0x22].contains(text[index]) { index -= 1 }
        var word = index
        while index - word < 10, text.isIn(ByteClass.letter, word) { word -= 1 }
        return Scanner.versionWords.contains { known in
            index - word == known.utf8CodeUnitCount && text.hasFolded(known, at: word + 1)
        }
    }

    private static let versionWords: [StaticString] = [
        "version", "ver", "v", "release", "build", "rev", "firmware", "oid",
    ]

    // MARK: Numbers of people

    private mutating func ssn(_ start: Int) -> Int? {
        guard text[start + 3] == 0x2D, text[start + 6] == 0x2D,
            text.end(of: ByteClass.digit, from: start + 4) == start + 6,
            text.end(of: ByteClass.digit, from: start + 7) == start + 11
        else { return nil }
        let before = text[start - 1]
        guard before != 0x2D, !text.isIn(ByteClass.alphanumeric, start + 11),
            !(text[start + 11] == 0x2D && text.isIn(ByteClass.alphanumeric, start + 12))
        else { return nil }
        // Never issued: area 000, 666 and 900 to 999, group 00, serial 0000 (SSA).
        let isIssued =
            !text.has("000", at: start) && !text.has("666", at: start) && text[start] != 0x39
            && !text.has("00", at: start + 4) && !text.has("0000", at: start + 7)
        guard isIssued else { return start + 11 }
        add(.ssn, start, start + 11, "dashed form in the issued range")
        return start + 11
    }

    private mutating func iban(_ start: Int) -> Int? {
        guard !text.isIn(ByteClass.alphanumeric, start - 3), text[start - 3] != 0x5F else {
            return nil
        }
        guard let end = IBAN.end(text, start - 2) else { return nil }
        add(.iban, start - 2, end, "country, length and mod 97")
        return end
    }

    // MARK: Payment cards

    /// Digits without separators.
    private mutating func card(_ start: Int, _ end: Int) -> Int? {
        let length = end - start
        guard length <= 19, isFreeStanding(start, end) else { return nil }
        var digits = CardNumber()
        for index in start..<end { digits.append(text[index]) }
        guard let issuer = digits.issuer(), digits.passesLuhn else { return nil }
        guard issuer == .certain || isStrict || hasCardWord(before: start) else {
            return nil
        }
        add(.card, start, end, "issuer prefix, length and Luhn")
        return end
    }

    /// Not a piece of a UUID, a decimal fraction or a longer identifier.
    private func isFreeStanding(_ start: Int, _ end: Int) -> Bool {
        let before = text[start - 1]
        let after = text[end]
        if text.isIn(ByteClass.letter, end) || after == 0x5F { return false }
        if before == 0x2E, text.isIn(ByteClass.alphanumeric, start - 2) { return false }
        if before == 0x2D, text.isIn(ByteClass.alphanumeric, start - 2), !isWord(before: start - 1)
        {
            return false
        }
        if (after == 0x2D || after == 0x2E), text.isIn(ByteClass.alphanumeric, end + 1) {
            return false
        }
        return true
    }

    /// Whether what ends before `end` is a word, as in `card-4111…`, and not the group of digits before
    /// that of a longer number, nor a piece of a UUID or of an IPv6 address. Looks back a few bytes.
    func isWord(before end: Int) -> Bool {
        var index = end - 1
        var hasLetter = false
        while end - index <= Scanner.wordLimit, text.isIn(ByteClass.alphanumeric, index) {
            let folded = text[index] | 0x20
            if text.isIn(ByteClass.letter, index), folded > UInt8(ascii: "f") { hasLetter = true }
            index -= 1
        }
        return hasLetter
    }

    private static let wordLimit = 16

    /// Groups with one separator: 4-4-4-4, 4-4-4-4-3, 4-6-5 and 4-6-4 digits.
    private mutating func separatedCard(_ start: Int) -> Int? {
        let separator = text[start + 4]
        guard separator == 0x20 || separator == 0x2D, text.isIn(ByteClass.digit, start + 5),
            text[start - 1] != 0x2D || !text.isIn(ByteClass.alphanumeric, start - 2)
                || isWord(before: start - 1)
        else { return nil }
        for layout in CardNumber.layouts {
            guard let end = endOfGroups(layout, start, separator) else { continue }
            var digits = CardNumber()
            for index in start..<end where text[index] != separator { digits.append(text[index]) }
            guard let issuer = digits.issuer(), digits.passesLuhn else { continue }
            guard
                issuer == .certain || isStrict || hasCardWord(before: start)
            else { continue }
            add(.card, start, end, "issuer prefix, grouping and Luhn")
            return end
        }
        return nil
    }

    private func endOfGroups(_ layout: [Int], _ start: Int, _ separator: UInt8) -> Int? {
        var index = start
        for (place, length) in layout.enumerated() {
            if place > 0 {
                guard text[index] == separator else { return nil }
                index += 1
            }
            guard text.end(of: ByteClass.digit, from: index) == index + length else { return nil }
            index += length
        }
        if text.isIn(ByteClass.letter, index) { return nil }
        let goesOn = text[index] == 0x2D && text.isIn(ByteClass.alphanumeric, index + 1)
        return goesOn ? nil : index
    }

    static let cardWords = """
        card cards cc pan credit debit visa mastercard amex maestro karte kreditkarte carte tarjeta
        """
}
