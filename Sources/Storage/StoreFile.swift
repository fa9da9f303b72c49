internal import Glibc

/// The files of a database: itself, its write-ahead log, and the index of that.
enum StoreFile {
    static let suffixes = ["", "-wal", "-shm"]

    /// Zero if there is no such file.
    static func size(_ path: String) -> Int64 {
        var status = stat()
        return stat(path, &status) == 0 ? Int64(status.st_size) : 0
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
