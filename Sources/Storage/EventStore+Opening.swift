import Primitives
import SQLite
import Telemetry

extension EventStore {
    /// A store, and what had to make room for it.
    package struct Opened: Sendable {
        package let store: EventStore
        /// Paths of the damaged files that were set aside; empty if all was well. The new store is
        /// then empty and at position 0: whatever the journal still has comes back from there.
        package let setAside: [String]
    }

    /// Opens the store at `path`; if the file is damaged, renames it and starts a new one.
    ///
    /// A file is found damaged when its header, its schema, its own notes or the edges of its
    /// tables cannot be read, or when an earlier run met damage (`DamageMarker`) and a check of all
    /// of it agrees. The check takes about a second a GiB, and only then.
    /// - Parameter now: milliseconds since 1970; becomes part of the new names.
    /// - Throws: everything but `corrupt`, as `init`.
    package static func openSettingAside(
        path: String, now: Int64, log: Logger, options: EventStoreOptions = EventStoreOptions()
    ) throws(StorageError) -> Opened {
        let damage = DamageMarker(database: path)
        do throws(StorageError) {
            try StoreFile.checkHeader(path)
            if damage.exists { try check(suspect: path) }
            let store = try EventStore(path: path, now: now, log: log, options: options)
            damage.clear()
            return Opened(store: store, setAside: [])
        } catch {
            // It may hold statements of the connection that has failed.
            options.derived?.close()
            guard error.code == .corrupt else { throw error }
            let moved = try StoreFile.setAside(path, time: now)
            log.error("damaged store set aside") {
                $0.add("error", error)
                $0.add("files", moved.joined(separator: ", "))
            }
            damage.clear()
            let store = try EventStore(path: path, now: now, log: log, options: options)
            return Opened(store: store, setAside: moved)
        }
    }

    private static func check(suspect path: String) throws(StorageError) {
        guard StoreFile.size(path) > 0 else { return }
        let problems = try attempt(path) { () throws(SQLiteError) in
            let connection = try Connection(path: path, role: .reader)
            return try IntegrityReport.problems(connection)
        }
        if let first = problems.first { throw StorageError(.corrupt, "\(path): \(first)") }
    }
}
