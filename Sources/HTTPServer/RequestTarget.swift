import Primitives

/// What is wrong with a request target.
package enum TargetError: Error, Sendable {
    /// A `%` that two hexadecimal digits do not follow.
    case badEscape
    /// `%00`, or bytes that are not UTF-8.
    case badCharacter
    /// More than `RequestTarget.parameterLimit` parameters.
    case tooManyParameters
}

/// The target of a request as it came (RFC 9112, section 3.2): a path, perhaps a query; in absolute
/// form a scheme and an authority before them.
package enum RequestTarget {
    /// More parameters than any route has; a limit on the work a query string can cause.
    package static let parameterLimit = 256

    /// The path that an absolute form without one stands for (RFC 9112, section 3.2.1).
    private static let root: StaticString = "/"

    /// Splits at the first `?`; what comes before the path of an absolute form is left out.
    package static func split(
        _ target: UnsafeRawBufferPointer
    ) -> (path: UnsafeRawBufferPointer, query: UnsafeRawBufferPointer?) {
        guard target.first != UInt8(ascii: "/"),
            let start = AbsoluteTarget.pathStart(of: target)
        else { return splitAtMark(target) }
        let (path, query) = splitAtMark(UnsafeRawBufferPointer(rebasing: target[start...]))
        guard path.isEmpty else { return (path, query) }
        return (UnsafeRawBufferPointer(start: root.utf8Start, count: 1), query)
    }

    private static func splitAtMark(
        _ target: UnsafeRawBufferPointer
    ) -> (path: UnsafeRawBufferPointer, query: UnsafeRawBufferPointer?) {
        guard let mark = target.firstIndex(of: UInt8(ascii: "?")) else { return (target, nil) }
        return (
            UnsafeRawBufferPointer(rebasing: target[..<mark]),
            UnsafeRawBufferPointer(rebasing: target[(mark + 1)...])
        )
    }

    /// It means the server as a whole: `*`, or an absolute form that ends with its authority, which
    /// is the same to OPTIONS (RFC 9112, section 3.2.4).
    package static func isServer(_ target: UnsafeRawBufferPointer) -> Bool {
        target.isEqual(to: "*") || AbsoluteTarget.pathStart(of: target) == target.count
    }

    /// Reads `a=1&b=2` (the form of the WHATWG URL standard: `+` is a space). Each value is split at
    /// its commas before it is decoded; see `Parameter`.
    package static func parameters(
        _ query: UnsafeRawBufferPointer
    ) throws(TargetError) -> [Parameter] {
        var result: [Parameter] = []
        var start = 0
        while start <= query.count {
            let end = query[start...].firstIndex(of: UInt8(ascii: "&")) ?? query.count
            if end > start {
                guard result.count < parameterLimit else { throw .tooManyParameters }
                let pair = UnsafeRawBufferPointer(rebasing: query[start..<end])
                let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.count
                let value = pair[min(equals + 1, pair.count)...]
                result.append(
                    Parameter(
                        name: try decode(
                            UnsafeRawBufferPointer(rebasing: pair[..<equals]), plus: true),
                        elements: try elements(UnsafeRawBufferPointer(rebasing: value))))
            }
            start = end + 1
        }
        return result
    }

    private static func elements(
        _ value: UnsafeRawBufferPointer
    ) throws(TargetError) -> [String] {
        var elements: [String] = []
        var start = 0
        while true {
            let end = value[start...].firstIndex(of: UInt8(ascii: ",")) ?? value.count
            elements.append(
                try decode(UnsafeRawBufferPointer(rebasing: value[start..<end]), plus: true))
            if end == value.count { return elements }
            start = end + 1
        }
    }

    /// Undoes percent-encoding (RFC 3986, section 2.1).
    /// - Parameter plus: whether `+` means a space.
    package static func decode(
        _ text: UnsafeRawBufferPointer, plus: Bool
    ) throws(TargetError) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            var byte = text[index]
            if byte == UInt8(ascii: "%") {
                guard index + 2 < text.count, let high = hexValue(text[index + 1]),
                    let low = hexValue(text[index + 2])
                else { throw .badEscape }
                byte = high << 4 | low
                index += 2
            } else if plus, byte == UInt8(ascii: "+") {
                byte = 0x20
            }
            guard byte != 0 else { throw .badCharacter }
            bytes.append(byte)
            index += 1
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .badCharacter }
        return text
    }

    /// `path` with each escape of an unreserved character (letters, digits, `-`, `.`, `_`, `~`) undone.
    /// All other escapes stay, so what is undone afterwards is undone once. Escapes are well formed.
    static func unescapingUnreserved(_ path: UnsafeRawBufferPointer) -> ByteBuffer {
        var plain = ByteBuffer(capacity: path.count)
        var index = 0
        while index < path.count {
            var byte = path[index]
            if byte == UInt8(ascii: "%"), index + 2 < path.count,
                let high = hexValue(path[index + 1]), let low = hexValue(path[index + 2]),
                isUnreserved(high << 4 | low)
            {
                byte = high << 4 | low
                index += 2
            }
            plain.append(byte)
            index += 1
        }
        return plain
    }

    /// RFC 3986, section 2.3.
    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "-._~".utf8.contains(byte)
        }
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}
