internal import Glibc

/// Counts the lines of a file, which may be larger than memory.
enum LineCount {
    /// The number of lines; the file is removed.
    static func takeAway(_ path: String) -> Int {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return 0 }
        defer {
            close(file)
            unlink(path)
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 8)
        defer { buffer.deallocate() }
        var lines = 0
        while true {
            let count = read(file, buffer.baseAddress, buffer.count)
            guard count > 0 else { return lines }
            for index in 0..<count where buffer[index] == UInt8(ascii: "\n") { lines += 1 }
        }
    }
}
