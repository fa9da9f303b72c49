import SQLite

/// A look at a folder of named queries, as `millrace check` takes it.
package enum NamedQueryInspection {
    /// What was found in one file.
    package struct Finding: Sendable {
        package let name: String
        /// Why it cannot be used; nil if it can.
        package let problem: String?
    }

    /// Compiles every file against an empty store.
    /// - Parameter timeLimit: how long a query may take at the most.
    /// - Returns: one for each file, in the order of their names.
    /// - Throws: if the folder cannot be read.
    package static func findings(
        path: String, timeLimit: Duration
    ) throws(NamedQueryKeeper.Failure) -> [Finding] {
        let folder = NamedQueryFolder(path: path)
        do {
            let trial = try NamedQueryTrial(timeLimit: timeLimit)
            return try folder.stamps().keys.sorted().map { name in
                do {
                    _ = try trial.query(name: name, text: try folder.read(name))
                    return Finding(name: name, problem: nil)
                } catch {
                    let reason = (error as? NamedQueryFolder.Failure)?.reason ?? "\(error)"
                    return Finding(name: name, problem: reason)
                }
            }
        } catch {
            let reason = (error as? NamedQueryFolder.Failure)?.reason ?? "\(error)"
            throw NamedQueryKeeper.Failure(description: reason)
        }
    }
}
