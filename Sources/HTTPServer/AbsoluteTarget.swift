/// A target in absolute form (RFC 9112, section 3.2.2), as clients send it to a proxy and as every
/// server must take it: `http://host:port/path?query`. Its authority stands in for `Host`.
enum AbsoluteTarget {
    /// Where the path begins, after the authority; nil if `target` is not of that form.
    static func pathStart(of target: UnsafeRawBufferPointer) -> Int? {
        authorityRange(of: target)?.upperBound
    }

    /// Host and port; nil if `target` is not of that form.
    static func authority(of target: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        authorityRange(of: target).map { UnsafeRawBufferPointer(rebasing: target[$0]) }
    }

    private static let slash = UInt8(ascii: "/")
    private static let mark = UInt8(ascii: "?")

    private static func authorityRange(of target: UnsafeRawBufferPointer) -> Range<Int>? {
        guard target.first != slash, let start = authorityStart(target) else { return nil }
        let end = target[start...].firstIndex { $0 == slash || $0 == mark } ?? target.count
        let isValid = Authority.isValid(UnsafeRawBufferPointer(rebasing: target[start..<end]))
        return isValid ? start..<end : nil
    }

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
}
