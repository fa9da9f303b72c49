/// Telephone numbers: `+` international (E.164) and separated national forms, never a bare run.
extension Scanner {
    static let phoneWords = """
        phone tel telephone mobile cell call fax sms whatsapp telefon handy mobil telefono rufnummer
        msisdn
        """

    /// `start` is at the first digit after `+` or `(+`.
    mutating func internationalPhone(_ start: Int) -> Int? {
        let plus = text[start - 1] == UInt8(ascii: "+") ? start - 1 : start - 2
        let before = text[plus - 1]
        guard text[start] != 0x30, !text.isIn(ByteClass.alphanumeric, plus - 1), before != 0x2B,
            before != 0x29, before != 0x2E
        else { return nil }
        guard let number = groups(from: start) else { return nil }
        let least = number.separators > 0 ? 8 : 9
        guard (least...15).contains(number.digits), !text.isIn(ByteClass.letter, number.end),
            number.dots != 1
        else { return nil }
        add(.phone, plus, number.end, "international form")
        return number.end
    }

    private struct Groups {
        var end: Int
        var digits = 0
        var separators = 0
        var dots = 0
        /// Digits of the first and of the second group.
        var first = 0
        var second = 0
    }

    /// Digits in groups, with one separator between two, or `) ` and ` (`; at most 15 digits.
    private func groups(from start: Int) -> Groups? {
        var number = Groups(end: start)
        var index = start
        while true {
            let end = text.end(of: ByteClass.digit, from: index)
            // An address after the number is not of it.
            if end == index || IPAddress.endOfIPv4(text, index) != nil { break }
            // A group that a word begins with (`9lives`) is not of the number.
            if number.digits > 0, text.isIn(ByteClass.letter, end) { return number }
            // What would make it longer than a number can be is another number.
            if number.digits + end - index > 15 { return number.digits > 0 ? number : nil }
            if number.separators > 0, text[index - 1] == 0x2E { number.dots += 1 }
            if number.separators == 0 { number.first = end - index }
            if number.separators == 1 { number.second = end - index }
            number.digits += end - index
            number.end = end
            var next = end
            var taken = 0
            while taken < 2, Scanner.isSeparator(text[next]) {
                next += 1
                taken += 1
            }
            guard taken > 0, text.isIn(ByteClass.digit, next) else { break }
            number.separators += 1
            index = next
        }
        return number
    }

    private static func isSeparator(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x2D || byte == 0x2E || byte == 0x28 || byte == 0x29 || byte == 0x2F
    }

    /// `(212) 555-0123`, `212-555-0123`, `212.555.0123`: the area and the exchange begin with 2 to 9
    /// (North American Numbering Plan).
    mutating func nationalPhone(_ start: Int) -> Int? { northAmerican(start, from: start) }

    /// `1-800-555-0123`.
    mutating func trunkPhone(_ start: Int) -> Int? {
        guard text[start + 1] == 0x2D || text[start + 1] == 0x2E,
            text.end(of: ByteClass.digit, from: start + 2) == start + 5
        else { return nil }
        return northAmerican(start + 2, from: start)
    }

    private mutating func northAmerican(_ area: Int, from start: Int) -> Int? {
        let isBracketed = text[area - 1] == 0x28 && text[area + 3] == 0x29
        var exchange = area + 3
        if isBracketed {
            exchange += text[area + 4] == 0x20 ? 2 : 1
        } else {
            guard [0x2D, 0x2E, 0x20].contains(text[exchange]) else { return nil }
            exchange += 1
        }
        let separator = text[exchange + 3]
        guard text.end(of: ByteClass.digit, from: exchange) == exchange + 3,
            separator == 0x2D || separator == 0x2E || separator == 0x20,
            text.end(of: ByteClass.digit, from: exchange + 4) == exchange + 8,
            text[area] >= 0x32, text[exchange] >= 0x32
        else { return nil }
        let end = exchange + 8
        let before = text[start - 1]
        guard isBracketed || (before != 0x2D && before != 0x2E && before != 0x2B),
            !text.isIn(ByteClass.letter, end),
            !(text[end] == 0x2D && text.isIn(ByteClass.alphanumeric, end + 1))
        else { return nil }
        let isWeak = !isBracketed && text[area + 3] == 0x20
        guard !isWeak || isStrict || hasPhoneWord(before: start) else {
            return nil
        }
        add(.phone, isBracketed ? area - 1 : start, end, "North American form")
        return end
    }

    /// Other separated forms, near a word that says that a number follows.
    mutating func phoneByContext(_ start: Int, _ end: Int) -> Int? {
        // A number begins after a space or a bracket, not in the middle of a date or a path.
        let before = text[start - 1]
        guard
            before <= 0x20 || before == 0x28 || before == 0x3A || before == 0x22 || before == 0x3D,
            before != 0x3A || !text.isIn(ByteClass.digit, start - 2),
            Scanner.isSeparator(text[end]), text.isIn(ByteClass.digit, end + 1),
            let number = groups(from: start), (7...15).contains(number.digits),
            !text.isIn(ByteClass.letter, number.end)
        else { return nil }
        let isDate = number.first == 4 && number.second == 2
        guard !isDate, hasPhoneWord(before: start) else { return nil }
        add(.phone, start, number.end, "separated form near a word for telephone")
        return number.end
    }
}
