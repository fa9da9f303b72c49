internal import Glibc

/// Replaces a small file as a whole.
enum AtomicFile {
    struct Failure: Error { let reason: String }

    /// Writes a new file beside it, syncs it, and renames it: after a crash there is the old text or
    /// the new one.
    /// - Parameter owner: user and group of the new file, as far as this process may give it away.
    static func write(
        _ bytes: [UInt8], to path: String, mode: mode_t, owner: (uid_t, gid_t)? = nil
    ) throws(Failure) {
        let temporary = "\(path).\(getpid()).tmp"
        unlink(temporary)
        let file = open(temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw failure() }
        do throws(Failure) {
            defer { close(file) }
            try write(bytes, to: file)
            if let owner { _ = fchown(file, owner.0, owner.1) }
            guard fchmod(file, mode) == 0, fsync(file) == 0 else { throw failure() }
        } catch {
            unlink(temporary)
            throw error
        }
        guard rename(temporary, path) == 0 else {
            let error = failure()
            unlink(temporary)
            throw error
        }
        syncDirectory(of: path)
    }

    private static func write(_ bytes: [UInt8], to file: Int32) throws(Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure() }
            rest = rest.dropFirst(count)
        }
    }

    /// A failure costs durability of the rename alone, which some file systems do not offer.
    private static func syncDirectory(of path: String) {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { return }
        fsync(directory)
        close(directory)
    }

    private static func failure() -> Failure { Failure(reason: String(cString: strerror(errno))) }
}
