internal import Glibc
import ProcessSupport

/// Looks for text in all files of a folder, byte by byte.
package enum FileSearch {
    /// - Returns: `file: text` for each text that a file below `folder` holds.
    package static func find(_ texts: [String], in folder: String) -> [String] {
        var found: [String] = []
        for name in FileSystem.names(in: folder).sorted() {
            let path = folder + "/" + name
            guard FileSystem.names(in: path).isEmpty else {
                found += find(texts, in: path)
                continue
            }
            guard let bytes = FileSystem.read(path) else { continue }
            for text in texts where contains(bytes, Array(text.utf8)) {
                found.append("\(path): \(text)")
            }
        }
        return found
    }

    /// All numbers that stand as `<123>` in files below `folder`.
    package static func numbers(in folder: String) -> Set<Int> {
        var numbers: Set<Int> = []
        for name in FileSystem.names(in: folder) {
            let path = folder + "/" + name
            guard FileSystem.names(in: path).isEmpty else {
                numbers.formUnion(self.numbers(in: path))
                continue
            }
            (FileSystem.read(path) ?? []).withUnsafeBytes { bytes in
                guard let start = bytes.baseAddress else { return }
                var offset = 0
                while offset < bytes.count,
                    let next = memchr(
                        start + offset, Int32(UInt8(ascii: "<")), bytes.count - offset)
                {
                    offset = next - UnsafeMutableRawPointer(mutating: start) + 1
                    let digits = bytes[offset...].prefix(10).prefix { (0x30...0x39).contains($0) }
                    guard offset + digits.count < bytes.count,
                        bytes[offset + digits.count] == UInt8(ascii: ">")
                    else { continue }
                    if let number = Int(String(decoding: digits, as: UTF8.self)) {
                        numbers.insert(number)
                    }
                }
            }
        }
        return numbers
    }

    private static func contains(_ bytes: [UInt8], _ text: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress, let first = text.first else { return false }
            var offset = 0
            while offset + text.count <= bytes.count,
                let next = memchr(start + offset, Int32(first), bytes.count - offset)
            {
                let place = next - UnsafeMutableRawPointer(mutating: start)
                guard place + text.count <= bytes.count else { return false }
                if memcmp(next, text, text.count) == 0 { return true }
                offset = place + 1
            }
            return false
        }
    }
}
