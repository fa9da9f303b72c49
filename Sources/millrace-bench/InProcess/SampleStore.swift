internal import Glibc
import Primitives
import Storage
import Telemetry

/// A data directory whose store holds a million generated rows over a week. Made once a run.
enum SampleStore {
    static let rowCount = 1_000_000
    private static let rowsPerTransaction = SampleRow.mostRows

    /// The data directory; `store.db` is in it.
    static func directory(
        in scratch: ScratchDirectory, rows: Int = rowCount
    ) throws(BenchFailure) -> String {
        let folder = scratch.file("sample-\(rows)")
        if access(folder + "/store.db", F_OK) == 0 { return folder }
        let made = try scratch.freshFolder("sample.new")
        try attempt("the sample store") { () throws(StorageError) in
            try fill(made + "/store.db", rows)
        }
        guard rename(made, folder) == 0 else { throw BenchFailure("cannot rename \(made)") }
        return folder
    }

    private static func fill(_ path: String, _ rowCount: Int) throws(StorageError) {
        let store = try EventStore(path: path, now: WallClock.nowMilliseconds(), log: .silent)
        let row = SampleRow()
        for first in stride(from: 0, to: rowCount, by: rowsPerTransaction) {
            try store.write(position: nil) { (inserter) throws(StorageError) in
                for index in first..<min(first + rowsPerTransaction, rowCount) {
                    try row.add(index, .generated, to: inserter)
                }
                try row.flush(inserter)
            }
            try store.maintain(now: .now(), isIdle: false)
        }
        store.close(deadline: .after(.seconds(10)))
    }
}
