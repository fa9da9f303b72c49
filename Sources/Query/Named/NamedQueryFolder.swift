internal import Glibc
import Primitives

/// The folder of named queries: each file `NAME.sql` in it is one.
struct NamedQueryFolder: Sendable {
    let path: String

    /// More files than this make nothing clearer.
    static let fileLimit = 1000
    private static let suffix = ".sql"

    /// Why something cannot be read.
    struct Failure: Error {
        let reason: String
    }

    /// Tells one version of a file from the next without reading it.
    struct Stamp: Equatable, Sendable {
        let inode: UInt64
        let bytes: Int64
        let modified: Int64
        let changed: Int64
    }

    /// The files by the names of their queries.
    func stamps() throws(Failure) -> [String: Stamp] {
        guard let folder = opendir(path) else { throw Self.failure() }
        defer { closedir(folder) }
        var stamps: [String: Stamp] = [:]
        while let entry = readdir(folder) {
            let file = withUnsafeBytes(of: &entry.pointee.d_name) { name in
                String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard file.hasSuffix(Self.suffix), !file.hasPrefix(".") else { continue }
            let name = String(file.dropLast(Self.suffix.count))
            guard let stamp = stamp(name) else { continue }
            guard stamps.count < Self.fileLimit else {
                throw Failure(reason: "it holds more than \(Self.fileLimit) files")
            }
            stamps[name] = stamp
        }
        return stamps
    }

    /// Nil for what is no file, or not there.
    func stamp(_ name: String) -> Stamp? {
        var facts = stat()
        guard stat(file(name), &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else { return nil }
        func nanoseconds(_ time: timespec) -> Int64 {
            Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
        }
        return Stamp(
            inode: UInt64(facts.st_ino), bytes: Int64(facts.st_size),
            modified: nanoseconds(facts.st_mtim), changed: nanoseconds(facts.st_ctim))
    }

    func read(_ name: String) throws(Failure) -> String {
        let descriptor = open(file(name), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.failure() }
        defer { close(descriptor) }
        var buffer = ByteBuffer(capacity: 4096)
        while true {
            let space = buffer.spare(4096)
            let count = Glibc.read(descriptor, space.baseAddress, space.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.failure() }
            if count == 0 { break }
            buffer.commit(count)
            guard buffer.count <= NamedQueryFile.limitBytes else {
                throw Failure(reason: "it is larger than \(NamedQueryFile.limitBytes) bytes")
            }
        }
        let text = withExtendedLifetime(buffer) { String(validating: $0.span, as: UTF8.self) }
        guard let text, !text.utf8.contains(0) else {
            throw Failure(reason: "it is not UTF-8 text")
        }
        guard !text.allSatisfy(\.isWhitespace) else { throw Failure(reason: "it is empty") }
        return text
    }

    private func file(_ name: String) -> String { path + "/" + name + Self.suffix }

    private static func failure() -> Failure { Failure(reason: String(cString: strerror(errno))) }
}
