import Primitives

/// A path as a problem may show it where no route has answered: paths hold names, numbers and keys
/// of people, and a problem ends up in places that its request never went to.
///
/// A segment is kept if it looks like a word and becomes `*` otherwise. So what is left needs no
/// escape in a URI, and none in JSON.
enum MaskedPath {
    /// More segments than any route has; those behind become one `*`. With `segmentLimitBytes` and a
    /// slash each they are 200 bytes at most.
    static let segmentLimit = 8
    static let segmentLimitBytes = 24
    /// `v1` and `oauth2` are words; numbers, dates and most keys have more digits.
    static let digitLimit = 2

    /// Appends the mask of `path`, which begins with a slash.
    static func append(_ path: UnsafeRawBufferPointer, to text: inout ByteBuffer) {
        var start = 1
        var count = 0
        while start <= path.count {
            count += 1
            var end = path[start...].firstIndex(of: UInt8(ascii: "/")) ?? path.count
            let isCut = count == segmentLimit && end < path.count
            if isCut { end = path.count }
            let segment = UnsafeRawBufferPointer(rebasing: path[start..<end])
            text.append("/")
            // Elsewhere an empty one would bring two slashes, which at the front of a URI begin the
            // name of a host (RFC 3986, section 4.2).
            let isTrailing = segment.isEmpty && end == path.count
            if !isCut, isTrailing || isWord(segment) {
                text.append(segment)
            } else {
                text.append("*")
            }
            start = end + 1
        }
    }

    private static func isWord(_ segment: UnsafeRawBufferPointer) -> Bool {
        guard (1...segmentLimitBytes).contains(segment.count) else { return false }
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
