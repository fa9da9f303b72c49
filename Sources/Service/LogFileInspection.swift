internal import Glibc

/// Whether the log file can be written, as a start would. One that is not there is not made.
enum LogFileInspection {
    private static let part = "log file"

    @Sendable static func run(_ configuration: Configuration) -> [Inspection.Finding] {
        guard let path = configuration.logFile?.path else { return [] }
        // Without waiting for a reader, if it is a named pipe.
        let descriptor = open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC)
        if descriptor >= 0 {
            close(descriptor)
            return [.init(part, .ok, "\(path) is writable")]
        }
        guard errno == ENOENT else { return [failed("\(path): \(reason)")] }
        let folder = folder(of: path)
        guard access(folder, W_OK | X_OK) == 0 else {
            return [failed("\(path) cannot be made in \(folder): \(reason)")]
        }
        return [.init(part, .ok, "\(path) will be made at the start")]
    }

    private static func failed(_ detail: String) -> Inspection.Finding {
        .init(part, .failed, detail)
    }

    private static var reason: String { String(cString: strerror(errno)) }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
