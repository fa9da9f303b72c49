/// A target in absolute form (RFC 9112, section 3.2.2), as clients send it to a proxy and as every
/// server must take it: `http://host:port/path?query`. Its authority stands in for `Host`, on which
/// nothing here depends.
enum AbsoluteTarget {
    /// Where the path begins, behind the authority; nil if `target` is not of that form.
    ///
    /// The authority is a host that is not empty and perhaps a port. User information in front of
    /// the host is refused, as RFC 9110, section 4.2.4, advises: it is there to mislead.
    static func pathStart(of target: UnsafeRawBufferPointer) -> Int? {
        guard let start = authorityStart(target) else { return nil }
        let end = target[start...].firstIndex { $0 == slash || $0 == mark } ?? target.count
        return isHostAndPort(UnsafeRawBufferPointer(rebasing: target[start..<end])) ? end : nil
    }

    private static let slash = UInt8(ascii: "/")
    private static let mark = UInt8(ascii: "?")

    /// Schemes compare without case (RFC 3986, section 3.1).
    private static func authorityStart(_ target: UnsafeRawBufferPointer) -> Int? {
        for scheme: StaticString in ["http://", "https://"] {
            let count = scheme.utf8CodeUnitCount
            guard target.count > count else { continue }
            let start = UnsafeRawBufferPointer(rebasing: target[..<count])
            if start.isEqualIgnoringCase(to: scheme) { return count }
        }
        return nil
    }

    /// RFC 3986, sections 3.2.2 and 3.2.3.
    private static func isHostAndPort(_ authority: UnsafeRawBufferPointer) -> Bool {
        let isLiteral = authority.first == UInt8(ascii: "[")
        let hostEnd: Int
        if isLiteral {
            guard let bracket = authority.firstIndex(of: UInt8(ascii: "]")) else { return false }
            hostEnd = bracket + 1
        } else {
            hostEnd = authority.firstIndex(of: UInt8(ascii: ":")) ?? authority.count
        }
        let host = isLiteral ? authority[1..<hostEnd - 1] : authority[..<hostEnd]
        guard !host.isEmpty, host.allSatisfy(isLiteral ? isOfLiteral : isOfName) else {
            return false
        }
        guard hostEnd < authority.count else { return true }
        return authority[hostEnd] == UInt8(ascii: ":")
            && authority[(hostEnd + 1)...].allSatisfy { (0x30...0x39).contains($0) }
    }

    /// An address in brackets: hexadecimal digits, `:` and `.`.
    private static func isOfLiteral(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x46, 0x61...0x66, UInt8(ascii: ":"), UInt8(ascii: "."): true
        default: false
        }
    }

    /// Unreserved characters, sub-delimiters, and escapes: `RequestGuard` looks at these.
    private static func isOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "-._~!$&'()*+,;=%".utf8.contains(byte)
        }
    }
}
