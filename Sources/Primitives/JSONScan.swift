internal import CSimdJSON
internal import Glibc

/// Finding one's way through JSON bytes without parsing them.
package enum JSONScan {
    /// The bytes of the value that `bytes` begins with, up to the bracket or quote that closes it.
    /// Minds strings and nothing else, so the value may still be no JSON. Nil if it does not end
    /// here or no value can begin so. O(length of the value).
    package static func valueLength(_ bytes: UnsafeRawBufferPointer) -> Int? {
        let length = millrace_json_skip_value(
            bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
        return length > 0 ? length : nil
    }

    /// Where the next line feed stands at or behind `start`; the end without one.
    package static func lineEnd(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        guard let base = bytes.baseAddress, start < bytes.count,
            let found = memchr(base + start, 0x0A, bytes.count - start)
        else { return bytes.count }
        return UnsafeRawPointer(found) - base
    }

    /// The first place at or behind `start` that holds no JSON white space.
    package static func skipSpace(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var index = start
        while index < bytes.count, isSpace(bytes[index]) { index += 1 }
        return index
    }

    /// `bytes[range]` without the white space around it.
    package static func trim(
        _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>
    ) -> UnsafeRawBufferPointer {
        var lower = range.lowerBound
        var upper = range.upperBound
        while lower < upper, isSpace(bytes[lower]) { lower += 1 }
        while lower < upper, isSpace(bytes[upper - 1]) { upper -= 1 }
        return UnsafeRawBufferPointer(rebasing: bytes[lower..<upper])
    }

    /// What stands between the braces of `object`, without white space around it; nil if that is
    /// nothing.
    package static func members(
        of object: UnsafeRawBufferPointer
    ) -> UnsafeRawBufferPointer? {
        let inner = trim(object, 0..<object.count)
        guard inner.count > 2 else { return nil }
        let members = trim(inner, 1..<inner.count - 1)
        return members.isEmpty ? nil : members
    }

    /// `bytes` without U+FEFF at the start, which some clients begin a text with; RFC 8259, section
    /// 8.1 lets a reader step over it.
    package static func withoutByteOrderMark(
        _ bytes: UnsafeRawBufferPointer
    ) -> UnsafeRawBufferPointer {
        guard bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF else {
            return bytes
        }
        return UnsafeRawBufferPointer(rebasing: bytes[3...])
    }

    package static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }
}
