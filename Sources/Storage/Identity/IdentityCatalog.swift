import Primitives

/// The runs that a folder holds for a store: those that belong to it, one after the other.
struct IdentityCatalog {
    /// In the order of their ranges, which do not overlap.
    private(set) var runs: [IdentityRun] = []
    /// Files that were removed, and why.
    private(set) var removed: [String] = []

    /// Opens what is in `folder` and of use, and removes the rest.
    ///
    /// A run that covers rows which the store does not have (a power failure took them, or the
    /// database was put back from a copy) would take the events that get those numbers next for
    /// duplicates. So it goes before anything is stored, and its removal is synced.
    /// - Parameters:
    ///   - lastSeq: of the store.
    ///   - fingerprint: of the row with that `seq`; nil if there is no row.
    init(
        _ folder: IdentityFolder, store: UInt64, lastSeq: Int64,
        fingerprint: (Int64) throws(StorageError) -> UInt64?
    ) throws(StorageError) {
        var found: [IdentityRun] = []
        for name in folder.names() {
            do throws(IdentityFileError) {
                let run = try IdentityRun(path: folder.file(name))
                let reason = try IdentityCatalog.objection(
                    run, name, store: store, lastSeq: lastSeq, fingerprint)
                guard let reason else {
                    found.append(run)
                    continue
                }
                throw .damaged("\(folder.file(name)): \(reason)")
            } catch {
                // An unfinished file is no news.
                if !name.hasPrefix("new-") { removed.append(error.message) }
                folder.remove(name)
            }
        }
        choose(found, in: folder)
        if !folder.names().isEmpty || !removed.isEmpty {
            do { try folder.sync() } catch {
                throw StorageError(.inputOutput, error.message)
            }
        }
    }

    /// Why the run is of no use for this store; nil if it is.
    private static func objection(
        _ run: IdentityRun, _ name: String, store: UInt64, lastSeq: Int64,
        _ fingerprint: (Int64) throws(StorageError) -> UInt64?
    ) throws(IdentityFileError) -> String? {
        let header = run.header
        if header.store != store { return "it belongs to another store" }
        if header.name != name { return "its name is not its own" }
        if header.range.isEmpty || header.range.after < 0 { return "it covers nothing" }
        if header.range.last > lastSeq { return "it is newer than the store" }
        let last: UInt64?
        do { last = try fingerprint(header.range.last) } catch {
            return "its last row cannot be read"
        }
        guard let last, header.lastFingerprint != 0 else { return nil }
        return last == header.lastFingerprint ? nil : "it is of another past of this store"
    }

    /// A merge that was finished has its parts still beside it when the process was killed: the run
    /// that covers most wins.
    private mutating func choose(_ found: [IdentityRun], in folder: IdentityFolder) {
        let sorted = found.sorted {
            let (a, b) = ($0.header.range, $1.header.range)
            return a.after != b.after ? a.after < b.after : a.last > b.last
        }
        for run in sorted {
            if let last = runs.last?.header.range.last, run.header.range.after < last {
                folder.remove(run.header.name)
            } else {
                runs.append(run)
            }
        }
    }
}
