internal import Glibc

/// Escapes of half a surrogate pair (`\ud83d` without `\ude00` after it) in JSON texts.
///
/// JavaScript's `slice` makes them when it cuts an emoji in two. RFC 8259, section 8.2 leaves open
/// what a reader does with them, and no UTF-8 says what they stand for; simdjson refuses them.
package enum LoneSurrogates {
    /// Appends `json` to `buffer` with `\ufffd`, which is as long, in place of each lone surrogate.
    /// - Returns: where they stood, in rising order; if there were none, nothing is appended. O(n).
    package static func appendReplaced(
        _ json: UnsafeRawBufferPointer, to buffer: inout ByteBuffer
    ) -> [Int] {
        let offsets = offsets(in: json)
        guard !offsets.isEmpty else { return [] }
        let start = buffer.count
        buffer.append(json)
        for offset in offsets {
            // The backslash and the `u` stand.
            for (index, digit) in "fffd".utf8.enumerated() {
                buffer.set(digit, at: start + offset + 2 + index)
            }
        }
        return offsets
    }

    /// A backslash outside of strings is no JSON anyhow, so strings need not be told from the rest.
    private static func offsets(in json: UnsafeRawBufferPointer) -> [Int] {
        guard let base = json.baseAddress else { return [] }
        var offsets: [Int] = []
        var index = 0
        while index < json.count, let found = memchr(base + index, 0x5C, json.count - index) {
            index = UnsafeRawPointer(found) - base
            guard let unit = json.codeUnit(at: index), (0xD800...0xDFFF).contains(unit) else {
                // The escaped byte is not looked at: it may be a backslash.
                index += 2
                continue
            }
            if json.isSurrogatePair(at: index) {
                index += 12
            } else {
                offsets.append(index)
                index += 6
            }
        }
        return offsets
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the escapes at `start` are a high surrogate and the low one that belongs to it.
    func isSurrogatePair(at start: Int) -> Bool {
        guard let high = codeUnit(at: start), (0xD800..<0xDC00).contains(high),
            let low = codeUnit(at: start + 6), (0xDC00..<0xE000).contains(low)
        else { return false }
        return true
    }
}
