/// Shows that the method, target, version and fields that libmicrohttpd gives are the header as it
/// came, byte for byte.
///
/// It ends each piece with a zero byte in its own buffer and gives it as a C string. So a zero byte
/// in the input hides what follows it, and a line that is folded (RFC 9112, section 5.2) is joined to
/// the *name* of the field in another place. Either could make a proxy in front and this service see
/// two different requests. In both cases the pieces no longer lie end to end, and that shows here
/// for the price of a few comparisons of addresses.
struct HeaderWalk {
    /// Where the last piece ended; nil once pieces did not meet.
    private var end: UnsafeRawPointer?

    /// - Parameters:
    ///   - target: where the target begins, as libmicrohttpd has it.
    ///   - targetCount: its length when it was first seen, before its query was cut off.
    init(
        method: UnsafeRawBufferPointer, target: UnsafeRawPointer?, targetCount: Int,
        version: UnsafeRawBufferPointer
    ) {
        guard let line = method.baseAddress, let target, let last = version.baseAddress,
            target == line + method.count + 1, last == target + targetCount + 1
        else { return }
        end = last + version.count
    }

    /// The next field: it begins behind the line break that ended the line before it.
    mutating func field(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        guard let end, let start = name.baseAddress, let last = value.baseAddress else {
            self.end = nil
            return
        }
        let lineBreak = start - end
        self.end = lineBreak == 1 || lineBreak == 2 ? last + value.count : nil
    }

    /// Whether nothing but two line breaks lies between the last field and `headerEnd`.
    func isWhole(headerEnd: UnsafeRawPointer) -> Bool {
        guard let end, (2...4).contains(headerEnd - end) else { return false }
        return UnsafeRawBufferPointer(start: end, count: headerEnd - end).allSatisfy { $0 == 0 }
    }
}
