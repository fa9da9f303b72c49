internal import Glibc
import Primitives
import ProcessSupport
import Query
import Storage
import Telemetry

/// A data directory whose store holds generated rows, a million of them over a week. Made once a
/// run, or once for all with `--samples`.
enum SampleStore {
    static let rowCount = 1_000_000
    private static let rowsPerTransaction = SampleRow.mostRows

    /// The data directory; `store.db` is in it.
    /// - Parameter rollups: what is kept beside the rows.
    static func directory(
        _ bench: Bench, rows: Int = rowCount, rollups: [Rollup] = []
    ) throws(BenchFailure) -> String {
        let name = (rollups.isEmpty ? "sample-" : "rollups-") + "\(rows)"
        let folder = bench.samplesPath.map { "\($0)/\(name)" } ?? bench.scratch.file(name)
        if access(folder + "/store.db", F_OK) == 0 { return folder }
        let made = folder + ".new"
        FileSystem.remove(made)
        guard mkdir(made, 0o700) == 0 else {
            throw BenchFailure("cannot make \(made): \(String(cString: strerror(errno)))")
        }
        try fill(made + "/store.db", rows, rollups)
        guard rename(made, folder) == 0 else { throw BenchFailure("cannot rename \(made)") }
        return folder
    }

    /// Opens a store that keeps `rollups`.
    static func open(
        _ path: String, _ rollups: [Rollup] = []
    ) throws(BenchFailure) -> EventStore {
        try attempt("a store") { () throws(StorageError) in
            var options = EventStoreOptions()
            let set = RollupSet(rollups)
            if !rollups.isEmpty { options.derived = set }
            let store = try EventStore(
                path: path, now: WallClock.nowMilliseconds(), log: .silent, options: options)
            for chore in set.chores { store.add(chore) }
            return store
        }
    }

    private static func fill(
        _ path: String, _ rowCount: Int, _ rollups: [Rollup]
    ) throws(BenchFailure) {
        let store = try open(path, rollups)
        let row = SampleRow()
        try attempt("the sample store") { () throws(StorageError) in
            for first in stride(from: 0, to: rowCount, by: rowsPerTransaction) {
                try store.write(position: nil) { (inserter) throws(StorageError) in
                    for index in first..<min(first + rowsPerTransaction, rowCount) {
                        try row.add(index, .generated, to: inserter)
                    }
                    try row.flush(inserter)
                }
                try store.maintain(now: .now(), isIdle: false)
            }
        }
        store.close(deadline: .after(.seconds(10)))
    }
}
