/// The host and port that a request is for: what `Host` holds (RFC 9112, section 3.2) and what stands
/// between the scheme and the path of a target in absolute form.
package enum Authority {
    /// A host by the grammar of RFC 3986, section 3.2.2, that is not empty, and perhaps a port.
    ///
    /// User information in front of the host is refused, as RFC 9110, section 4.2.4, advises: it is
    /// there to mislead.
    static func isValid(_ authority: UnsafeRawBufferPointer) -> Bool {
        guard let hostEnd = hostEnd(authority) else { return false }
        let isLiteral = authority.first == UInt8(ascii: "[")
        let host = isLiteral ? authority[1..<hostEnd - 1] : authority[..<hostEnd]
        guard !host.isEmpty, host.allSatisfy(isLiteral ? isOfLiteral : isOfName) else {
            return false
        }
        guard hostEnd < authority.count else { return true }
        return authority[hostEnd] == UInt8(ascii: ":")
            && authority[(hostEnd + 1)...].allSatisfy { (0x30...0x39).contains($0) }
    }

    /// The host of a valid authority, in lower case, without its port and without brackets.
    package static func host(_ authority: UnsafeRawBufferPointer) -> String {
        var end = hostEnd(authority) ?? authority.count
        var start = 0
        if authority.first == UInt8(ascii: "[") { (start, end) = (1, end - 1) }
        return String(decoding: authority[start..<max(start, end)], as: UTF8.self).lowercased()
    }

    /// Where the port's colon is, or the end; nil for a bracket that is not closed.
    private static func hostEnd(_ authority: UnsafeRawBufferPointer) -> Int? {
        guard authority.first == UInt8(ascii: "[") else {
            return authority.firstIndex(of: UInt8(ascii: ":")) ?? authority.count
        }
        return authority.firstIndex(of: UInt8(ascii: "]")).map { $0 + 1 }
    }

    /// An address in brackets: hexadecimal digits, `:` and `.`.
    private static func isOfLiteral(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x46, 0x61...0x66, UInt8(ascii: ":"), UInt8(ascii: "."): true
        default: false
        }
    }

    /// Unreserved characters, sub-delimiters, and the sign of an escape.
    private static func isOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "-._~!$&'()*+,;=%".utf8.contains(byte)
        }
    }
}

extension Request {
    /// The host that the client means, in lower case and without a port: that of a target in absolute
    /// form, else that of `Host`; nil where neither says one.
    package var host: String? {
        if let authority = AbsoluteTarget.authority(of: target.span) {
            return Authority.host(authority)
        }
        guard let value = headers.first("host")?.trimmed, !value.isEmpty else { return nil }
        return Authority.host(value)
    }
}
