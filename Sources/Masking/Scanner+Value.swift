/// How far the value of a secret name reaches in text that is no JSON as a whole: a line with JSON after
/// a prefix, JSON cut short, JSON within strings, values as programming languages print them.
///
/// JSON within a string has a backslash before each quote, JSON within that has three, then seven. So a
/// quote belongs to a *depth*, the count of backslashes before it; a string ends at a quote of the depth
/// of its first one, or at one of less depth, where the string around it ends.
extension Scanner {
    /// JSON nested twelve deep has as many backslashes before a quote.
    static let backslashLimit = 4095
    /// Of a value between quotes or brackets.
    private static let valueLimit = 4096

    /// A token shows by its beginning that it is one.
    private static let randomLimit = 128

    struct NamedValue {
        var start: Int
        var end: Int
    }

    /// How many backslashes end before `index`.
    func backslashes(before index: Int) -> Int {
        var count = 0
        while count < Scanner.backslashLimit, text[index - 1 - count] == UInt8(ascii: "\\") {
            count += 1
        }
        return count
    }

    private func backslashes(from index: Int) -> Int {
        var end = index
        while text[end] == UInt8(ascii: "\\") { end += 1 }
        return end - index
    }

    /// The value at `start`.
    /// - Parameters:
    ///   - sign: stands between the name and the value.
    ///   - isLine: it is the rest of the line.
    ///   - depth: that of the name's quotes, where a value in brackets is one; nil where it is none.
    func value(at start: Int, of sign: Int, isLine: Bool, brackets depth: Int?) -> NamedValue {
        let count = backslashes(from: start)
        if isDelimited(start, of: sign) {
            let first = start + count + 1
            let end = endOfQuoted(text[first - 1], count, from: first, as: sign).end
            return NamedValue(start: first, end: end)
        }
        if let depth, isOpening(start), isStructure(start, as: sign) {
            let end = endOfBrackets(start, depth, as: sign)
            let length = end - start - 1
            let isEmpty = text.end(of: ByteClass.valueEnd, from: start + 1, limit: length) == end
            return NamedValue(start: start, end: isEmpty ? start : end)
        }
        return NamedValue(
            start: start,
            end: isLine ? endOfLine(start, as: sign) : endOfWord(start, as: sign, text.count))
    }

    /// Whether a value begins with a quote.
    func isDelimited(_ start: Int, of sign: Int) -> Bool {
        let count = backslashes(from: start)
        let quote = text[start + count]
        return (quote == 0x22 || quote == 0x27) && count <= Scanner.backslashLimit
            && isStructure(start + count, as: sign)
    }

    /// Eight bytes and more, with a digit.
    func looksRandom(from start: Int, of sign: Int) -> Bool {
        let limit = min(text.count, start + Scanner.randomLimit)
        let end = min(limit, endOfWord(start, as: sign, limit))
        return end - start >= 8
            && (start..<end).contains { text.isIn(ByteClass.digit, $0) }
    }

    func isBracket(_ index: Int) -> Bool {
        text[index] == UInt8(ascii: "{") || text[index] == UInt8(ascii: "[")
    }

    private func endOfLine(_ start: Int, as sign: Int) -> Int {
        var end = start
        while end < text.count, text[end] >= 0x20 {
            guard text[end] == 0x22, isStructure(end, as: sign) else {
                end += 1
                continue
            }
            // `Digest username="…", response="…"`, `a="b"; c=d`.
            let count = min(backslashes(before: end), end - start)
            guard text[end - count - 1] == UInt8(ascii: "=") else {
                end -= count
                break
            }
            end = endOfQuoted(0x22, count, from: end + 1, as: sign).next
        }
        while end > start, text[end - 1] == 0x20 { end -= 1 }
        return end
    }

    private func endOfWord(_ start: Int, as sign: Int, _ limit: Int) -> Int {
        var end = start
        while end < limit {
            guard text.isIn(ByteClass.valueEnd, end), isStructure(end, as: sign) else {
                end += 1
                continue
            }
            let count = backslashes(from: end)
            let quote = text[end + count]
            guard quote == 0x22 || quote == 0x27 else {
                // A line break or a tab in a string ends it, any other backslash is part of it.
                guard count > 0, !isSpaceEscape(end + count) else { break }
                end += count
                continue
            }
            guard count <= Scanner.backslashLimit, opensString(start, end) else { break }
            end = endOfQuoted(quote, count, from: end + count + 1, as: sign).next
        }
        return end
    }

    private func isSpaceEscape(_ index: Int) -> Bool {
        text[index] == UInt8(ascii: "n") || text[index] == UInt8(ascii: "r")
            || text[index] == UInt8(ascii: "t")
    }

    /// Where a value begins after a sign: spaces and tabs stand between, or a tab's escape.
    func startOfValue(after sign: Int) -> Int {
        var start = sign
        while start - sign < Scanner.spaceLimit, text[start] == 0x20 || text[start] == 0x09 {
            start += 1
        }
        let count = backslashes(from: start)
        return count > 0 && text[start + count] == UInt8(ascii: "t") ? start + count + 1 : start
    }

    /// `Some("x")`, `Optional("x")`, `b'x'`: what stands before a quote belongs to the string.
    private func opensString(_ start: Int, _ end: Int) -> Bool {
        if isOpening(end - 1), end > start { return true }
        guard (1...2).contains(end - start) else { return false }
        return (start..<end).allSatisfy {
            let letter = text[$0] | 0x20
            return letter == UInt8(ascii: "b") || letter == UInt8(ascii: "u")
                || letter == UInt8(ascii: "r") || letter == UInt8(ascii: "f")
        }
    }

    private func isOpening(_ index: Int) -> Bool {
        isBracket(index) || text[index] == UInt8(ascii: "(")
    }

    // MARK: Strings

    private enum QuoteMeaning { case content, end, endOfOuter }

    /// What a quote with `count` backslashes before it is in a string whose first quote had `depth`.
    private static func meaning(of quote: UInt8, _ count: Int, in depth: Int) -> QuoteMeaning {
        var (count, depth) = (count, depth)
        // JSON escapes the backslash before an apostrophe and not the apostrophe, so their count is not
        // known.
        if quote == 0x27, depth == 0 { return count == 0 ? .end : .content }
        // What prints a string of JSON with doubled backslashes and bare quotes, as Python does.
        while depth > 0, depth & 1 == 0, count & 1 == 0 {
            count /= 2
            depth /= 2
        }
        // A backslash at the end of the content is twice as many as the quote's own, and one more.
        if depth & (depth + 1) == 0 { count %= 2 * (depth + 1) }
        return count == depth ? .end : count < depth ? .endOfOuter : .content
    }

    /// - Returns: where the content ends, and where what follows the closing quote begins.
    private func endOfQuoted(
        _ quote: UInt8, _ depth: Int, from start: Int, as sign: Int
    ) -> (end: Int, next: Int) {
        let limit = limit(from: start)
        var index = start
        while index < limit {
            let count = backslashes(from: index)
            index += count
            guard index < limit else { break }
            if text[index] == quote, isStructure(index, as: sign) {
                switch Scanner.meaning(of: quote, count, in: depth) {
                case .content: break
                case .end: return (index - depth, index + 1)
                case .endOfOuter: return (index, index)
                }
            }
            index += 1
        }
        return (limit, limit)
    }

    // MARK: Brackets

    /// One after the bracket that closes the one at `open`. If none does, where the string around ends
    /// (at a quote of less than `depth`), or the text.
    private func endOfBrackets(_ open: Int, _ depth: Int, as sign: Int) -> Int {
        let limit = limit(from: open)
        var level = 0
        var index = open
        while index < limit {
            switch text[index] {
            case UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "("): level += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"), UInt8(ascii: ")"): level -= 1
            case UInt8(ascii: "\\"), 0x22, 0x27:
                let count = backslashes(from: index)
                let quote = text[index + count]
                let isQuote = quote == 0x22 || (quote == 0x27 && isAfterPunctuation(index))
                if isQuote, isStructure(index + count, as: sign) {
                    if count < depth { return index }
                    index = endOfQuoted(quote, count, from: index + count + 1, as: sign).next
                    continue
                }
                index += max(0, count - 1)
            default: break
            }
            index += 1
            if level == 0 { return index }
        }
        return limit
    }

    /// An apostrophe within a word opens no string.
    private func isAfterPunctuation(_ index: Int) -> Bool {
        text[index - 1] <= 0x20 || isOpening(index - 1) || text[index - 1] == UInt8(ascii: ",")
            || text[index - 1] == UInt8(ascii: ":") || text[index - 1] == UInt8(ascii: "=")
    }

    /// Not in the middle of a character.
    private func limit(from start: Int) -> Int {
        guard text.count - start > Scanner.valueLimit else { return text.count }
        var limit = start + Scanner.valueLimit
        while limit > start, text[limit] & 0xC0 == 0x80 { limit -= 1 }
        return limit
    }
}
