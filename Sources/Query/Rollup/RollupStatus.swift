import Primitives
import SQLite
import Storage

/// How far a rollup is.
package struct RollupStatus: Sendable {
    package enum State: String, Sendable {
        /// Answers are taken from it.
        case complete
        /// Events that were there before it are still being counted.
        case filling
    }

    package let rollup: Rollup
    package let state: State
    /// The share of the events there were that have been counted, 0 to 1.
    package let progress: Double
    package let size: RollupSize
}

extension RollupSet {
    /// What is declared, each with how far it is. Any thread that may block.
    package func statuses(
        _ readers: ReaderPool, deadline: Deadline
    ) throws(StorageError) -> [RollupStatus] {
        let asked = requests.withLock { $0 }
        return try readers.withReader(until: deadline) { (connection) throws(SQLiteError) in
            let catalogue = RollupCatalogue(connection)
            let records = try catalogue.records()
            var statuses: [RollupStatus] = []
            for rollup in rollups {
                let record = records.first {
                    $0.name == rollup.name && $0.fingerprint == rollup.fingerprint
                }
                let isComplete = record?.isComplete == true && !asked.contains(rollup.name)
                let (filled, end) = (record?.filled ?? 0, record?.fillEnd ?? 0)
                statuses.append(
                    RollupStatus(
                        rollup: rollup, state: isComplete ? .complete : .filling,
                        progress: isComplete ? 1 : end == 0 ? 0 : Double(filled) / Double(end),
                        size: try record.map { record throws(SQLiteError) in
                            try catalogue.size(record.id)
                        } ?? RollupSize()))
            }
            return statuses
        }
    }
}
