import Primitives

/// Paths of requests: they hold names, numbers and keys of people, and what shows them (a problem, a
/// record) ends up in places that the request never went to.
extension Masker {
    /// More segments than any route has; those beyond become one `*`. With `wordLimitBytes` and a
    /// slash each they are 200 bytes at most.
    private static let segmentLimit = 8
    private static let wordLimitBytes = 24
    /// `v1` and `oauth2` are words; numbers, dates and most keys have more digits.
    private static let digitLimit = 2

    /// Appends `path`, which begins with a slash, masked: a segment that holds a match, or is no
    /// word, becomes `*`. What is left needs no escape in a URI, and none in JSON.
    package func maskPath(_ path: UnsafeRawBufferPointer, into output: inout ByteBuffer) {
        var masked = ByteBuffer(capacity: path.count + 16)
        // A placeholder has brackets, so its segment is no word.
        mask(path, as: .text, into: &masked)
        Masker.appendWords(of: masked.span, to: &output)
    }

    private static func appendWords(
        of path: UnsafeRawBufferPointer, to output: inout ByteBuffer
    ) {
        var start = 1
        var count = 0
        while start <= path.count {
            count += 1
            var end = path[start...].firstIndex(of: UInt8(ascii: "/")) ?? path.count
            let isCut = count == segmentLimit && end < path.count
            if isCut { end = path.count }
            let segment = UnsafeRawBufferPointer(rebasing: path[start..<end])
            output.append("/")
            // Elsewhere an empty one would bring two slashes, which at the front of a URI begin the
            // name of a host (RFC 3986, section 4.2).
            let isTrailing = segment.isEmpty && end == path.count
            if !isCut, isTrailing || isWord(segment) {
                output.append(segment)
            } else {
                output.append("*")
            }
            start = end + 1
        }
    }

    private static func isWord(_ segment: UnsafeRawBufferPointer) -> Bool {
        guard (1...wordLimitBytes).contains(segment.count) else { return false }
        var digits = 0
        for byte in segment {
            switch byte {
            case 0x30...0x39: digits += 1
            case 0x41...0x5A, 0x61...0x7A: continue
            default: guard "-_.".utf8.contains(byte) else { return false }
            }
        }
        return digits <= digitLimit
    }
}
