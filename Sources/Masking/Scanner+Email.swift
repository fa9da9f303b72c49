/// Addresses (RFC 5321, section 4.1.2), with letters of other scripts (RFC 6531).
extension Scanner {
    /// A local part has 64 bytes at most, a domain 255 (RFC 5321, section 4.5.3.1).
    private static let localLimit = 64
    private static let domainLimit = 255

    mutating func lookAtAt(_ at: Int) -> Int {
        guard let start = localStart(at), let end = domainEnd(at + 1) else { return at + 1 }
        if !isFolded, (start..<end).contains(where: { FoldedText.hides(text, $0) }) {
            foldFirst()
            return at + 1
        }
        guard !isImageScale(at + 1, end), !isRepository(start, at, end) else { return end }
        add(.email, start, end, "address grammar")
        return end
    }

    private func localStart(_ at: Int) -> Int? {
        if text[at - 1] == UInt8(ascii: "\"") { return quotedStart(at - 1) }
        var start = at
        while at - start < Scanner.localLimit, text.isIn(ByteClass.local, start - 1) { start -= 1 }
        // A separator of a list, a path or a query is no part of the address.
        let separators: [UInt8] = [
            UInt8(ascii: "="), UInt8(ascii: "/"), UInt8(ascii: "?"),
            UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "|"), UInt8(ascii: "{"),
        ]
        for index in stride(from: at - 1, through: start, by: -1)
        where separators.contains(text[index]) {
            start = index + 1
            break
        }
        while start < at, text[start] == UInt8(ascii: ".") || isCombining(start) { start += 1 }
        guard start < at, text[at - 1] != UInt8(ascii: ".") else { return nil }
        return start
    }

    /// A local part cannot begin in the middle of a character.
    private func isCombining(_ index: Int) -> Bool { text[index] & 0xC0 == 0x80 }

    private func quotedStart(_ close: Int) -> Int? {
        var start = close - 1
        while start >= 0, close - start <= Scanner.localLimit {
            if text[start] == UInt8(ascii: "\"") { return start }
            guard text[start] >= 0x20 else { return nil }
            start -= 1
        }
        return nil
    }

    /// One after the domain at `start`; nil if none stands there.
    private func domainEnd(_ start: Int) -> Int? {
        if text[start] == UInt8(ascii: "[") {
            // RFC 5321, section 4.1.3: `[192.0.2.1]` and `[IPv6:2001:db8::1]`.
            let isLabelled = text.hasFolded("ipv6:", at: start + 1)
            let first = start + (isLabelled ? 6 : 1)
            guard text.isIn(ByteClass.hex, first) || (isLabelled && text[first] == 0x3A) else {
                return nil
            }
            var index = first + 1
            while index - first < 47,
                text.isIn(ByteClass.hex, index) || text[index] == 0x2E
                    || text[index] == 0x3A
            { index += 1 }
            return text[index] == UInt8(ascii: "]") ? index + 1 : nil
        }
        var end = text.end(of: ByteClass.host, from: start, limit: Scanner.domainLimit)
        while end > start, text[end - 1] == 0x2E || text[end - 1] == 0x2D { end -= 1 }
        guard let dot = lastDot(start, end), dot > start else { return nil }
        guard text[start] != 0x2E, text[start] != 0x2D else { return nil }
        // The last label has letters, so that `package@1.2.3` is none.
        var letters = 0
        for index in dot + 1..<end {
            guard text.isIn(ByteClass.letter, index) || text[index] >= 0x80 else {
                return text.hasFolded("xn--", at: dot + 1) ? end : nil
            }
            letters += 1
        }
        return letters >= 2 ? end : nil
    }

    private func lastDot(_ start: Int, _ end: Int) -> Int? {
        var index = end - 1
        while index >= start {
            if text[index] == UInt8(ascii: ".") { return index }
            index -= 1
        }
        return nil
    }

    /// `icon@2x.png`: a picture for a finer screen.
    private func isImageScale(_ start: Int, _ end: Int) -> Bool {
        let digits = text.end(of: ByteClass.digit, from: start)
        guard digits > start, text[digits] == UInt8(ascii: "x") else { return false }
        return Scanner.pictures.contains { text.hasFolded($0, at: end - $0.utf8CodeUnitCount) }
    }

    private static let pictures: [StaticString] = [
        ".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".svg", ".bmp", ".ico",
    ]

    /// `git@github.com:owner/name`.
    private func isRepository(_ start: Int, _ at: Int, _ end: Int) -> Bool {
        at - start == 3 && text.has("git", at: start) && text[end] == UInt8(ascii: ":")
    }
}
