internal import Glibc
import TestSupport

/// A file that a test breaks.
struct DamagedFile {
    let path: String

    init(_ path: String) { self.path = path }

    var count: Int { (FileSystem.read(path) ?? []).count }

    func offset(of text: String) -> Int? {
        (FileSystem.read(path) ?? []).firstRange(of: Array(text.utf8))?.lowerBound
    }

    /// Flips the lowest bit of a byte.
    func flip(at offset: Int) throws {
        let file = open(path, O_RDWR | O_CLOEXEC)
        defer { close(file) }
        var byte: UInt8 = 0
        guard pread(file, &byte, 1, off_t(offset)) == 1 else { throw TestError("no byte to flip") }
        byte ^= 1
        guard pwrite(file, &byte, 1, off_t(offset)) == 1 else { throw TestError("not flipped") }
    }

    /// Puts `bytes` in place of those at `offset`, while others have the file open.
    func overwrite(at offset: Int, with bytes: [UInt8]) throws {
        let file = open(path, O_WRONLY | O_CLOEXEC)
        defer { close(file) }
        guard pwrite(file, bytes, bytes.count, off_t(offset)) == bytes.count else {
            throw TestError("not overwritten")
        }
    }

    func truncate(to count: Int) throws {
        guard Glibc.truncate(path, off_t(count)) == 0 else { throw TestError("not truncated") }
    }

    func replace(with bytes: [UInt8]) throws {
        try FileSystem.write(bytes, to: path)
    }

    /// The files of a folder, without the folders in it, by name.
    static func contents(of folder: String) -> [String: [UInt8]] {
        var contents: [String: [UInt8]] = [:]
        for name in FileSystem.names(in: folder) {
            contents[name] = FileSystem.read(folder + "/" + name)
        }
        return contents
    }
}
