/// What a colon gives away: IPv6 addresses, userinfo in URLs, and `name: value`.
extension Scanner {
    mutating func lookAtColon(_ colon: Int) -> Int {
        if text[colon + 1] == UInt8(ascii: "/"), text[colon + 2] == UInt8(ascii: "/") {
            return lookAtAuthority(colon + 3)
        }
        if let end = lookAtIPv6(colon) { return end }
        return lookAtAssignment(colon)
    }

    // MARK: IPv6

    /// `colon` is the first colon of the address. Another colon may stand before the address if a word
    /// stands before that (`client:2001:db8::1`): it is no group of a longer one.
    private mutating func lookAtIPv6(_ colon: Int) -> Int? {
        var start = colon
        while colon - start < 5, text.isIn(ByteClass.hex, start - 1) { start -= 1 }
        let hasNeighbour = text[colon + 1] == 0x3A || text.isIn(ByteClass.hex, colon + 1)
        guard hasNeighbour, colon - start <= 4, !text.isIn(ByteClass.alphanumeric, start - 1),
            text[start - 1] != 0x3A || isWord(before: start - 1),
            text[start - 1] != 0x2E, text[start - 1] != 0x5F,
            !isPrefixLength(start, colon)
        else { return nil }
        guard let address = IPAddress.parseIPv6(text, start) else { return nil }
        guard !text.isIn(ByteClass.alphanumeric, address.end), text[address.end] != 0x5F else {
            return nil
        }
        guard isStrict || isUsualIPv6(address) else { return address.end }
        let (isNetwork, end) = IPAddress.prefixLength(text, address.end)
        // Loopback and unspecified addresses are nobody's; a /48 is the masked form already.
        let isNobodys = address.groups.dropLast().allSatisfy { $0 == 0 } && address.groups[7] < 2
        let isMasked =
            isNetwork
            && (address.groups.dropFirst(3).allSatisfy { $0 == 0 }
                || IPAddress.isNetwork24(text, start, address.end))
        if !isNobodys, !isMasked { add(.ipv6, start, end, "RFC 4291 form, assigned range") }
        return end
    }

    /// Whether the digits from `start` to `end` say how long the prefix before them is, as in `fe80::/48`,
    /// and not where an address begins, as in `client:/2001:db8::1`. What follows them is no address, or
    /// one that is masked would bring forth the next.
    private func isPrefixLength(_ start: Int, _ end: Int) -> Bool {
        text.has("::/", at: start - 3) && end - start <= 3
            && text.end(of: ByteClass.digit, from: start, limit: 4) == end
    }

    /// Global unicast, unique local, link local, or an IPv4 address in it: times, MAC addresses and
    /// names of C++ are none of these.
    private func isUsualIPv6(_ address: IPAddress.IPv6) -> Bool {
        let first = address.groups[0]
        guard address.digits > 0 else { return false }
        switch first {
        case 0x2000...0x3FFF, 0xFC00...0xFDFF, 0xFE80...0xFEBF: return true
        case 0:
            return address.groups[5] == 0xFFFF || address.groups.dropLast().allSatisfy { $0 == 0 }
        default: return first == 0x64 && address.groups[1] == 0xFF9B
        }
    }

    // MARK: URLs

    /// An authority that is longer is none.
    private static let authorityLimit = 256

    /// The userinfo of RFC 3986, section 3.2.1, at `start`. A password may hold an `@` that nobody
    /// escaped, so it ends at the last one, as those that read such URLs take it.
    private mutating func lookAtAuthority(_ start: Int) -> Int {
        let colon = start - 3
        var index = start
        var last = start
        var hasColon = false
        while index - start < Scanner.authorityLimit, !endsAuthority(index, as: colon) {
            if text[index] == UInt8(ascii: "@"), isStructure(index, as: colon) { last = index }
            if last == start, text[index] == UInt8(ascii: ":") { hasColon = true }
            index += 1
        }
        guard last > start else { return start }
        // A second pass finds its own placeholder here.
        if isPlaceholder(start, last) { return last + 1 }
        add(.urlSecret, start, last, hasColon ? "userinfo of a URL" : "user name of a URL")
        return last + 1
    }

    private func endsAuthority(_ index: Int, as colon: Int) -> Bool {
        let byte = text[index]
        guard
            byte <= 0x20 || byte == 0x2F || byte == 0x3F || byte == 0x23 || byte == 0x22
                || byte == 0x3C || byte == 0x27
        else { return false }
        return isStructure(index, as: colon)
    }

    func isPlaceholder(_ start: Int, _ end: Int) -> Bool {
        end - start == 10 && text.has("[REDACTED]", at: start)
    }
}
