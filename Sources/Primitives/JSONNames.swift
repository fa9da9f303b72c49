internal import Glibc

/// Names of JSON members, written plainly.
package enum JSONNames {
    /// Appends `json`, which must be valid, with the escapes in members' names resolved, `\u00e9`
    /// and `\/` say, as far as what they stand for needs none. SQLite 3.40 compares names as they
    /// are written, and many libraries escape all that is not ASCII.
    /// - Returns: false, with nothing appended, if there is nothing to resolve. O(n), and a single
    ///   `memchr` where there is no backslash.
    package static func appendPlain(
        _ json: UnsafeRawBufferPointer, to buffer: inout ByteBuffer
    ) -> Bool {
        guard let base = json.baseAddress, memchr(base, 0x5C, json.count) != nil else {
            return false
        }
        var (copied, index) = (0, 0)
        while index < json.count {
            guard json[index] == quote else {
                index += 1
                continue
            }
            let start = index + 1
            var end = start
            var hasEscape = false
            while end < json.count, json[end] != quote {
                if json[end] == backslash {
                    hasEscape = true
                    end += 1
                }
                end += 1
            }
            guard end < json.count else { break }
            index = end + 1
            guard hasEscape else { continue }
            let next = JSONScan.skipSpace(json, from: index)
            guard next < json.count, json[next] == UInt8(ascii: ":") else { continue }
            buffer.append(UnsafeRawBufferPointer(rebasing: json[copied..<start]))
            resolve(UnsafeRawBufferPointer(rebasing: json[start..<end]), into: &buffer)
            copied = end
        }
        guard copied > 0 else { return false }
        buffer.append(UnsafeRawBufferPointer(rebasing: json[copied...]))
        return true
    }

    private static let quote = UInt8(ascii: "\"")
    private static let backslash = UInt8(ascii: "\\")

    private static func resolve(_ name: UnsafeRawBufferPointer, into buffer: inout ByteBuffer) {
        var index = 0
        while index < name.count {
            guard name[index] == backslash, index + 1 < name.count else {
                buffer.append(name[index])
                index += 1
                continue
            }
            if name[index + 1] == UInt8(ascii: "/") {
                buffer.append(UInt8(ascii: "/"))
                index += 2
            } else if let (scalar, length) = scalar(in: name, at: index) {
                buffer.append(String(Character(scalar)))
                index += length
            } else {
                // Quotes, backslashes and control characters keep their escapes.
                buffer.append(UnsafeRawBufferPointer(rebasing: name[index..<index + 2]))
                index += 2
            }
        }
    }

    /// The scalar that the escape at `index` stands for if it may stand there by itself.
    private static func scalar(
        in name: UnsafeRawBufferPointer, at index: Int
    ) -> (Unicode.Scalar, length: Int)? {
        guard let first = name.codeUnit(at: index) else { return nil }
        if let scalar = Unicode.Scalar(first) {
            let needsEscape =
                scalar.value < 0x20 || scalar.value == UInt32(quote)
                || scalar.value == UInt32(backslash)
            return needsEscape ? nil : (scalar, 6)
        }
        guard first < 0xDC00, let second = name.codeUnit(at: index + 6),
            (0xDC00...0xDFFF).contains(second)
        else { return nil }
        let value = 0x10000 + (UInt32(first) - 0xD800) << 10 + (UInt32(second) - 0xDC00)
        return Unicode.Scalar(value).map { ($0, 12) }
    }
}
