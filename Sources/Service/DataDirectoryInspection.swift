internal import Glibc

/// Whether the data directory can be used: it is there or can be made, is writable, and has room.
enum DataDirectoryInspection {
    private static let part = "data directory"

    static func run(_ configuration: Configuration) -> [Inspection.Finding] {
        let path = configuration.dataDirectory
        var status = stat()
        guard stat(path, &status) == 0 else {
            guard errno == ENOENT else {
                return [.init(part, .failed, "\(path): \(String(cString: strerror(errno)))")]
            }
            return absent(path, configuration)
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            return [.init(part, .failed, "\(path) is not a directory")]
        }
        guard access(path, R_OK | W_OK | X_OK) == 0 else {
            // Rights would not help there.
            let why =
                errno == EROFS
                ? "is on a file system that is mounted read-only" : "cannot be written by this user"
            return [.init(part, .failed, "\(path) \(why)")]
        }
        return [.init(part, .ok, "\(path) is writable")] + room(in: path, configuration)
    }

    private static func absent(
        _ path: String, _ configuration: Configuration
    ) -> [Inspection.Finding] {
        let parent = existingParent(of: path)
        guard access(parent, W_OK | X_OK) == 0 else {
            let reason = String(cString: strerror(errno))
            return [.init(part, .failed, "\(path) cannot be made in \(parent): \(reason)")]
        }
        return [.init(part, .ok, "\(path) will be made at the first start")]
            + room(in: parent, configuration)
    }

    private static func existingParent(of path: String) -> String {
        var path = path[...]
        while true {
            while path.count > 1, path.last == "/" { path.removeLast() }
            guard let slash = path.lastIndex(of: "/") else { return "." }
            path = slash == path.startIndex ? "/" : path[..<slash]
            if path == "/" || access(String(path), F_OK) == 0 { return String(path) }
        }
    }

    /// The journal may grow to its cap, and then events are refused; better to know it before.
    private static func room(
        in path: String, _ configuration: Configuration
    ) -> [Inspection.Finding] {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return [] }
        let free = Int(status.f_bavail) * Int(status.f_frsize)
        guard free < configuration.journalMaxBytes else { return [] }
        let cap = ByteSize.format(configuration.journalMaxBytes)
        return [
            .init(
                part, .warning,
                "\(free >> 20)MiB are free, less than the journal may take (\(cap))")
        ]
    }
}
