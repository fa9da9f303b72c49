/// Credentials by their shape: JWT (RFC 7519), authorization schemes, PEM blocks, vendors' tokens.
extension Scanner {
    // MARK: JWT

    /// `index` is at the `J` of `eyJ`, which is `{"` in base64.
    mutating func lookAtJWT(_ index: Int) -> Int {
        let start = index - 2
        guard text.has("ey", at: start), !text.isIn(ByteClass.base64URL, start - 1) else {
            return index + 1
        }
        let header = text.end(of: ByteClass.base64URL, from: start)
        guard header - start >= 10, text[header] == UInt8(ascii: ".") else { return header }
        let payload = text.end(of: ByteClass.base64URL, from: header + 1)
        guard payload - header > 4, namesAlgorithm(start, header) else { return payload }
        var end = payload
        // A signature, or the further parts of an encrypted one (RFC 7516).
        for _ in 0..<3 where text[end] == UInt8(ascii: ".") {
            let part = text.end(of: ByteClass.base64URL, from: end + 1)
            if part == end + 1, !text.isIn(ByteClass.base64URL, part + 1) { break }
            end = part
        }
        add(.jwt, start, end, "three parts of base64url, header names an algorithm")
        return end
    }

    private func namesAlgorithm(_ start: Int, _ end: Int) -> Bool {
        let header = Base64Text.decode(text, start, min(end, start + 512))
        guard header.first == UInt8(ascii: "{") else { return false }
        let found = String(decoding: header, as: UTF8.self)
        return found.contains("\"alg\"") || found.contains("\"enc\"") || found.contains("\"typ\"")
    }

    // MARK: Authorization schemes

    /// `index` is at `B` or `b`: of `Bearer`, or of `Basic`.
    mutating func lookAtScheme(_ index: Int) -> Int {
        let next = text[index + 1] | 0x20
        guard next == UInt8(ascii: "e") || next == UInt8(ascii: "a"),
            !text.isIn(ByteClass.alphanumeric, index - 1)
        else { return index + 1 }
        let isBearer = text.hasFolded("bearer ", at: index)
        guard isBearer || text.hasFolded("basic ", at: index) else { return index + 1 }
        var start = index + (isBearer ? 7 : 6)
        while text[start] == 0x20 { start += 1 }
        var end = beforeDashes(start, text.end(of: ByteClass.token68, from: start))
        let body = end
        while text[end] == UInt8(ascii: "="), end - body < 2 { end += 1 }
        guard end - start >= 8, isBearer ? looksRandom(start, body) : isUserAndPassword(start, body)
        else {
            hasDoubt = true
            return max(index + 1, start)
        }
        add(.credentials, start, end, isBearer ? "Bearer token" : "Basic credentials")
        return end
    }

    /// `Bearer authentication` is prose.
    private func looksRandom(_ start: Int, _ end: Int) -> Bool {
        var digits = 0
        var uppers = 0
        for index in start..<end {
            if text.isIn(ByteClass.digit, index) { digits += 1 }
            if index > start, text.isIn(ByteClass.upper, index) { uppers += 1 }
        }
        return digits > 0 || uppers > 0 || end - start >= 24 || isStrict
    }

    private func isUserAndPassword(_ start: Int, _ end: Int) -> Bool {
        let decoded = Base64Text.decode(text, start, min(end, start + 1024))
        return decoded.contains(UInt8(ascii: ":"))
            && decoded.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }

    // MARK: Private keys

    mutating func lookAtHyphen(_ index: Int) -> Int {
        if text.has("-----BEGIN ", at: index) { return lookAtPEM(index) }
        return lookAtPrefix(index)
    }

    private mutating func lookAtPEM(_ start: Int) -> Int {
        var index = start + 11
        while index - start < 60, text[index] != 0x2D, text[index] >= 0x20 { index += 1 }
        guard
            text.has("PRIVATE KEY-----", at: index - 11)
                || text.has("PRIVATE KEY BLOCK-----", at: index - 17)
        else {
            // A match within the label may have kept its end out of sight.
            hasDoubt = true
            return start + 11
        }
        var end = index + 5
        while end < text.count, !text.has("-----END ", at: end) { end += 1 }
        if end < text.count {
            end += 9
            while end < text.count, text[end] != 0x2D { end += 1 }
            while end < text.count, text[end] == 0x2D { end += 1 }
        }
        add(.privateKey, start, end, "PEM block")
        return end
    }

    // MARK: Tokens of vendors

    /// `index` is at the `I` of `AKIA…` and `AIza…`.
    mutating func lookAtKeyID(_ index: Int) -> Int {
        if text.has("AIza", at: index - 1) {
            return lookAtToken(VendorToken.google, index - 1) ?? index + 1
        }
        for form in VendorToken.aws where text.has(form.prefix, at: index - 2) {
            return lookAtToken(form, index - 2) ?? index + 1
        }
        return index + 1
    }

    /// `index` is at the mark that ends a prefix: `ghp_`, `glpat-`, `SG.`.
    mutating func lookAtPrefix(_ index: Int) -> Int {
        guard text.isIn(ByteClass.prefixLast, index - 1) else { return index + 1 }
        for form in VendorToken.byLast[Int(text[index - 1])] {
            let start = index + 1 - form.prefix.utf8CodeUnitCount
            guard text.has(form.prefix, at: start) else { continue }
            if let end = lookAtToken(form, start) { return end }
        }
        return index + 1
    }

    /// Five hyphens begin a PEM block and belong to no token.
    private func beforeDashes(_ start: Int, _ end: Int) -> Int {
        (start..<max(start, end)).first { text.has("-----", at: $0) } ?? end
    }

    private mutating func lookAtToken(_ form: VendorToken, _ start: Int) -> Int? {
        // A prefix occurs inside of words and of base64.
        guard !text.isIn(ByteClass.base64URL | ByteClass.alphanumeric, start - 1) else {
            return nil
        }
        let first = start + form.prefix.utf8CodeUnitCount
        var end = first
        // Not further than what is looked at: the hyphens are no token, so the next prefix among them
        // would be scanned to the same end again.
        while end < text.count, form.accepts(text, end), !text.has("-----", at: end) { end += 1 }
        while end > first, text[end - 1] == UInt8(ascii: ".") { end -= 1 }
        guard end - first >= form.minimum else { return nil }
        if form.needsDigit, !(first..<end).contains(where: { text.isIn(ByteClass.digit, $0) }) {
            return nil
        }
        add(.token, start, end, "prefix and length of a vendor's token")
        return end
    }
}
