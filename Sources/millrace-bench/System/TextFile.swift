internal import Glibc
import Primitives

/// Small files, read and written whole.
enum TextFile {
    /// Empty if it cannot be read.
    static func read(_ path: String) -> String {
        guard let file = fopen(path, "re") else { return "" }
        defer { fclose(file) }
        var bytes = ByteBuffer(capacity: 16 << 10)
        while true {
            let space = bytes.spare(16 << 10)
            let count = fread(space.baseAddress, 1, space.count, file)
            if count == 0 { return bytes.text }
            bytes.commit(count)
        }
    }

    static func write(_ text: String, to path: String) throws(BenchFailure) {
        guard let file = fopen(path, "we") else {
            throw BenchFailure("cannot write \(path): \(String(cString: strerror(errno)))")
        }
        let written = fwrite(text, 1, text.utf8.count, file)
        guard fclose(file) == 0, written == text.utf8.count else {
            throw BenchFailure("cannot write \(path)")
        }
    }
}
