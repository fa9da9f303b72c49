internal import Glibc
import Primitives

/// One process at a time opens a data directory. Held until the last reference goes; the kernel
/// lets go of it when the process dies, however it dies.
package final class DataDirectoryLock: Sendable {
    private static let name = "lock"

    private let descriptor: Int32

    /// Creates the directory, for its owner alone, unless it is there, and takes its lock file.
    /// - Throws: `.locked`, naming the process that has it.
    package init(directory: String) throws(JournalError) {
        try JournalDirectory.create(directory)
        let path = directory + "/" + DataDirectoryLock.name
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .system(.unwritable, "open", path, errno) }
        while flock(file, LOCK_EX | LOCK_NB) != 0 {
            let cause = errno
            if cause == EINTR { continue }
            defer { close(file) }
            guard cause == EWOULDBLOCK else { throw .system(.unwritable, "flock", path, cause) }
            let holder = DataDirectoryLock.holder(of: file)
            throw JournalError(
                .locked, "\(directory) is in use by process \(holder)", cause: cause)
        }
        descriptor = file
        DataDirectoryLock.writeProcess(to: file)
    }

    /// Unlocks before it closes: a child that is just being started has the descriptor too until its
    /// exec, and closing alone would leave it locked that long. The file stays: removing it would let
    /// two processes lock two files of one name.
    deinit {
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }

    private static func holder(of file: Int32) -> String {
        var text = [UInt8](repeating: 0, count: 16)
        let count = text.withUnsafeMutableBytes { pread(file, $0.baseAddress, $0.count, 0) }
        let digits = text.prefix(max(0, count)).prefix { (48...57).contains($0) }
        return digits.isEmpty ? "unknown" : String(decoding: digits, as: UTF8.self)
    }

    /// For people who wonder who holds it; the lock does not depend on it.
    private static func writeProcess(to file: Int32) {
        var text = ByteBuffer(capacity: 16)
        text.append(decimal: getpid())
        text.append("\n")
        guard ftruncate(file, 0) == 0 else { return }
        _ = pwrite(file, text.span.baseAddress, text.count, 0)
    }
}
