internal import Glibc
import TestSupport

/// A file that a test breaks.
struct DamagedFile {
    let path: String

    init(_ path: String) { self.path = path }

    var count: Int { (readFile(path) ?? []).count }

    func offset(of text: String) -> Int? {
        (readFile(path) ?? []).firstRange(of: Array(text.utf8))?.lowerBound
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

    func truncate(to count: Int) throws {
        guard Glibc.truncate(path, off_t(count)) == 0 else { throw TestError("not truncated") }
    }

    func replace(with bytes: [UInt8]) throws {
        let file = open(path, O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(file) }
        guard write(file, bytes, bytes.count) == bytes.count else { throw TestError("not written") }
    }

    /// The files of a folder, without the folders in it, by name.
    static func contents(of folder: String) -> [String: [UInt8]] {
        var contents: [String: [UInt8]] = [:]
        for name in names(in: folder) { contents[name] = readFile(folder + "/" + name) }
        return contents
    }

    static func names(in folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            names.append(
                withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                })
        }
        return names
    }
}
