internal import Glibc
import Primitives

/// URI references (RFC 3986, section 4.1), which is what CloudEvents asks of a `source`.
///
/// A source is kept as it was sent, whatever text it is, for it is half of an event's identity.
/// Where it leaves the service it is percent-encoded as far as it is no URI reference, so that every
/// receiver accepts it; see decision 58.
package enum URIReference {
    /// Appends `text` with each byte percent-encoded that may not stand where it stands. What is a
    /// URI reference stays as it is, and so does what this has encoded before. O(n).
    /// - Parameter text: UTF-8; not empty.
    package static func append(_ text: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        if text.allSatisfy({ isUnreserved($0) || $0 == UInt8(ascii: "/") }) {
            return buffer.append(text)
        }
        URIReferenceEncoder(text: text).append(to: &buffer)
    }

    /// The texts that leave the service as `text`: itself, if it is a URI reference, and what it was
    /// encoded from.
    package static func origins(of text: String) -> [String] {
        var origins = encoded(text) == text ? [text] : []
        if text.utf8.contains(UInt8(ascii: "%")), let plain = decoded(text), encoded(plain) == text
        {
            origins.append(plain)
        }
        return origins.isEmpty ? [text] : origins
    }

    /// `text` as it leaves the service.
    package static func encoded(_ text: String) -> String {
        var text = text
        var buffer = ByteBuffer(capacity: 64)
        text.withUTF8 { append(UnsafeRawBufferPointer($0), to: &buffer) }
        return buffer.text
    }

    /// Nil if what is left is no UTF-8.
    private static func decoded(_ text: String) -> String? {
        let bytes = Array(text.utf8)
        var decoded: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
                let value = UInt8(
                    String(decoding: bytes[index + 1...index + 2], as: UTF8.self), radix: 16)
            {
                decoded.append(value)
                index += 3
            } else {
                decoded.append(bytes[index])
                index += 1
            }
        }
        return String(validating: decoded, as: UTF8.self)
    }

    static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "_"), UInt8(ascii: "~"):
            true
        default: false
        }
    }
}

/// Encodes one text part by part, as RFC 3986, appendix B tells them apart.
private struct URIReferenceEncoder {
    let text: UnsafeRawBufferPointer

    func append(to buffer: inout ByteBuffer) {
        let fragment = first("#", in: 0..<text.count)
        let query = first("?", in: 0..<fragment)
        var start = schemeEnd(before: query)
        put(0..<start, allowing: ":", to: &buffer)
        let hasScheme = start > 0
        if isSlash(start), isSlash(start + 1), start + 1 < query {
            let end = first("/", in: start + 2..<query)
            put(start..<start + 2, allowing: "/", to: &buffer)
            putAuthority(start + 2..<end, to: &buffer)
            start = end
        } else if !hasScheme {
            // What stands before a colon there would be a scheme, and is none.
            let end = first("/", in: start..<query)
            put(start..<end, allowing: "@", to: &buffer)
            start = end
        }
        put(start..<query, allowing: ":@/", to: &buffer)
        putPart(query..<fragment, to: &buffer)
        putPart(fragment..<text.count, to: &buffer)
    }

    /// A query or a fragment with the character that begins it.
    private func putPart(_ range: Range<Int>, to buffer: inout ByteBuffer) {
        guard let start = range.first else { return }
        buffer.append(text[start])
        put(start + 1..<range.upperBound, allowing: ":@/?", to: &buffer)
    }

    /// `[userinfo "@"] host [":" port]`
    private func putAuthority(_ range: Range<Int>, to buffer: inout ByteBuffer) {
        var start = range.lowerBound
        if let at = range.last(where: { text[$0] == UInt8(ascii: "@") }) {
            put(start..<at, allowing: ":", to: &buffer)
            buffer.append(UInt8(ascii: "@"))
            start = at + 1
        }
        var end = range.upperBound
        let colon = (start..<end).last { text[$0] == UInt8(ascii: ":") }
        if let colon, (colon + 1..<end).allSatisfy({ isDigit(text[$0]) }) { end = colon }
        if isAddress(start..<end) {
            buffer.append(UnsafeRawBufferPointer(rebasing: text[start..<end]))
        } else {
            put(start..<end, allowing: "", to: &buffer)
        }
        put(end..<range.upperBound, allowing: ":", to: &buffer)
    }

    /// An IPv6 address in brackets.
    private func isAddress(_ range: Range<Int>) -> Bool {
        guard range.count > 2, text[range.lowerBound] == UInt8(ascii: "["),
            text[range.upperBound - 1] == UInt8(ascii: "]")
        else { return false }
        let inner = range.lowerBound + 1..<range.upperBound - 1
        var address = in6_addr()
        return inet_pton(AF_INET6, String(decoding: text[inner], as: UTF8.self), &address) == 1
    }

    /// The offset after the colon of a scheme; 0 without a scheme.
    private func schemeEnd(before end: Int) -> Int {
        let colon = first(":", in: 0..<first("/", in: 0..<end))
        guard colon > 0, colon < end, text[colon] == UInt8(ascii: ":"), isLetter(text[0]) else {
            return 0
        }
        let isScheme = (0..<colon).allSatisfy { offset in
            let byte = text[offset]
            return isLetter(byte) || isDigit(byte) || byte == UInt8(ascii: "+")
                || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
        }
        return isScheme ? colon + 1 : 0
    }

    /// - Parameter delimiters: characters that may stand here beside those that may everywhere.
    private func put(
        _ range: Range<Int>, allowing delimiters: StaticString, to buffer: inout ByteBuffer
    ) {
        for offset in range {
            let byte = text[offset]
            let isAllowed =
                URIReference.isUnreserved(byte) || has("!$&'()*+,;=", byte)
                || has(delimiters, byte) || isEscape(at: offset)
            if isAllowed {
                buffer.append(byte)
            } else {
                buffer.append(UInt8(ascii: "%"))
                buffer.append(hexDigit(byte >> 4))
                buffer.append(hexDigit(byte & 15))
            }
        }
    }

    private func isEscape(at offset: Int) -> Bool {
        text[offset] == UInt8(ascii: "%") && offset + 2 < text.count
            && isHexDigit(text[offset + 1]) && isHexDigit(text[offset + 2])
    }

    private func has(_ set: StaticString, _ byte: UInt8) -> Bool {
        UnsafeBufferPointer(start: set.utf8Start, count: set.utf8CodeUnitCount).contains(byte)
    }

    private func first(_ character: Unicode.Scalar, in range: Range<Int>) -> Int {
        range.first { text[$0] == UInt8(ascii: character) } ?? range.upperBound
    }

    private func isSlash(_ offset: Int) -> Bool {
        offset < text.count && text[offset] == UInt8(ascii: "/")
    }

    private func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    private func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    private func isHexDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
    }

    private func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
    }
}
