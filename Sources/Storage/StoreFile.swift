internal import Glibc

/// The files of a database: itself, its write-ahead log and the index of that, and the rollback
/// journal that it has while it is being created.
enum StoreFile {
    static let suffixes = ["", "-wal", "-shm", "-journal"]

    /// Zero if there is no such file.
    static func size(_ path: String) -> Int64 {
        var status = stat()
        return stat(path, &status) == 0 ? Int64(status.st_size) : 0
    }

    /// Looks for damage that SQLite would take for something else: a file shorter than any database
    /// counts as an empty one, an unknown format version as one that may only be read.
    ///
    /// Only while no connection has the file open: closing it would drop their POSIX locks.
    /// - Throws: `corrupt`.
    static func checkHeader(_ path: String) throws(StorageError) {
        let length = size(path)
        // With a rollback journal, SQLite first makes the file whole again.
        guard length > 0, access(path + "-journal", F_OK) != 0 else { return }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        // What cannot be opened is for SQLite to report.
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var header = [UInt8](repeating: 0, count: 100)
        let count = read(descriptor, &header, header.count)
        let isWhole =
            count == header.count && header.starts(with: "SQLite format 3\u{0}".utf8)
            // Write and read version (2 is WAL), then the text encoding: 1 is UTF-8,
            // 0 that there are no tables yet.
            && (1...2).contains(header[18]) && (1...2).contains(header[19])
            && header[56..<59].allSatisfy { $0 == 0 } && header[59] <= 1
        guard isWhole else {
            throw StorageError(.corrupt, "\(path): \(length) bytes without a whole header")
        }
    }

    /// Renames the files of the database at `path`, so that a new one can take their place.
    /// - Parameter time: milliseconds since 1970; becomes part of the names.
    /// - Returns: the new paths.
    static func setAside(_ path: String, time: Int64) throws(StorageError) -> [String] {
        var base = "\(path).damaged-\(time)"
        var attempt = 1
        while access(base, F_OK) == 0 {
            attempt += 1
            base = "\(path).damaged-\(time)-\(attempt)"
        }
        var moved: [String] = []
        for suffix in suffixes where access(path + suffix, F_OK) == 0 {
            guard rename(path + suffix, base + suffix) == 0 else {
                throw StorageError(
                    .inputOutput, "\(path + suffix): rename: \(String(cString: strerror(errno)))")
            }
            moved.append(base + suffix)
        }
        return moved
    }
}
