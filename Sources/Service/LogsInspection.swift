internal import Glibc
import Logs
import Storage

/// Whether the files of logs are whole. They are read from end to end; the service may run
/// meanwhile, and then the full-text index is not looked into.
enum LogsInspection {
    private static let part = "logs"

    static func run(_ configuration: Configuration) -> [Inspection.Finding] {
        let directory = configuration.logsDirectory
        guard access(directory, F_OK) == 0 else { return [.init(part, .ok, "there are none yet")] }
        // Held while the index is looked into, so that no service starts meanwhile. Not by way of
        // `DataDirectoryLock`, which leaves its process id.
        let lock = open(configuration.dataDirectory + "/lock", O_RDWR | O_CLOEXEC)
        defer { if lock >= 0 { close(lock) } }
        let isUnused = lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0
        do throws(StorageError) {
            let check = try LogIntegrity(directory: directory, isUnused: isUnused)
            if let first = check.problems.first {
                return [
                    .init(part, .failed, "\(check.problems.count) problems, the first: \(first)")
                ]
            }
            let note = isUnused ? "" : "; the full-text index only while the service is stopped"
            return [.init(part, .ok, "\(check.days) days, \(check.records) records\(note)")]
        } catch {
            return [.init(part, .failed, "\(error)")]
        }
    }
}
