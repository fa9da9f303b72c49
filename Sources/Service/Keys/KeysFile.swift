internal import Glibc
import Primitives

/// The file that holds the keys, on disk.
struct KeysFile: Sendable {
    /// Ten thousand keys of four hundred bytes.
    private static let limitBytes = 4 << 20

    let path: String

    /// Tells one version of the file from the next without reading it.
    struct Stamp: Equatable, Sendable {
        fileprivate let device: UInt64
        fileprivate let inode: UInt64
        fileprivate let bytes: Int64
        fileprivate let modified: (Int, Int)
        fileprivate let changed: (Int, Int)
        /// Whether every user of the machine may read it.
        let isWorldReadable: Bool

        static func == (a: Stamp, b: Stamp) -> Bool {
            a.device == b.device && a.inode == b.inode && a.bytes == b.bytes
                && a.modified == b.modified && a.changed == b.changed
        }
    }

    /// Nil if there is no such file, or it cannot be looked at.
    var stamp: Stamp? {
        var facts = stat()
        guard stat(path, &facts) == 0 else { return nil }
        return Stamp(
            device: UInt64(facts.st_dev), inode: UInt64(facts.st_ino), bytes: Int64(facts.st_size),
            modified: (facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec),
            changed: (facts.st_ctim.tv_sec, facts.st_ctim.tv_nsec),
            isWorldReadable: facts.st_mode & S_IROTH != 0)
    }

    func read() throws(KeysError) -> KeysDocument {
        let text: String
        do { text = try TextFile.read(path, limitBytes: KeysFile.limitBytes) } catch {
            throw KeysError("keys file `\(path)` cannot be read: \(error.reason)")
        }
        return try KeysDocument(text, path: path)
    }

    /// Changes the file as a whole: readers see the old text or the new one, also after a crash.
    /// Two changes at the same time come one after the other.
    /// - Parameter isCreating: whether a file that is not there is made, for its owner alone.
    func change(
        isCreating: Bool = false, _ body: (KeysDocument) throws(KeysError) -> KeysDocument
    ) throws(KeysError) {
        let real = try target(isCreating: isCreating)
        let lock = try KeysFile.lock(real)
        // Closing gives the lock up.
        defer { close(lock) }
        let changed = try body(try KeysFile(path: real).read())
        var facts = stat()
        guard fstat(lock, &facts) == 0 else { throw KeysFile.failure(real, "cannot be looked at") }
        // Its owner and group keep their rights; others get none.
        do {
            try AtomicFile.write(
                Array(changed.text.utf8), to: real, mode: facts.st_mode & 0o660,
                owner: (facts.st_uid, facts.st_gid))
        } catch { throw KeysError("keys file `\(real)` cannot be written: \(error.reason)") }
    }

    /// The file behind links: a rename would put a file in the place of the link.
    private func target(isCreating: Bool) throws(KeysError) -> String {
        if isCreating {
            let file = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
            if file >= 0 {
                close(file)
            } else if errno != EEXIST {
                throw KeysFile.failure(path, "cannot be made")
            }
        }
        guard let real = realpath(path, nil) else { throw KeysFile.failure(path, "cannot be read") }
        defer { free(real) }
        return String(cString: real)
    }

    /// The lock is on the file itself, which the holder before may have replaced meanwhile.
    private static func lock(_ path: String) throws(KeysError) -> Int32 {
        while true {
            let file = open(path, O_RDONLY | O_CLOEXEC)
            guard file >= 0 else { throw failure(path, "cannot be read") }
            while flock(file, LOCK_EX) != 0 {
                guard errno == EINTR else {
                    defer { close(file) }
                    throw failure(path, "cannot be locked")
                }
            }
            var (held, there) = (stat(), stat())
            if fstat(file, &held) == 0, stat(path, &there) == 0, held.st_ino == there.st_ino,
                held.st_dev == there.st_dev
            {
                return file
            }
            close(file)
        }
    }

    private static func failure(_ path: String, _ what: String) -> KeysError {
        KeysError("keys file `\(path)` \(what): \(String(cString: strerror(errno)))")
    }
}
