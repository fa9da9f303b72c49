import Primitives
import SQLite

/// Makes one run of several that follow one another. What the rows do not hold any more is left out.
struct IdentityMerge {
    let runs: [IdentityRun]
    /// Rows below it have been deleted.
    let firstSeq: Int64
    /// Which rows are there, where it is worth asking.
    let live: LiveRows?
    let isCancelled: () -> Bool

    /// Entries between two looks at whether it is still wanted: some 10 ms.
    private static let lookInterval = 1 << 16

    func write(to writer: IdentityRunWriter) throws(IdentityFileError) {
        var cursors: [Cursor] = []
        for run in runs {
            let cursor = Cursor(run)
            if try cursor.load() { cursors.append(cursor) }
        }
        var count = 0
        while !cursors.isEmpty {
            var least = 0
            for index in 1..<cursors.count
            where cursors[index].entry.fingerprint < cursors[least].entry.fingerprint {
                least = index
            }
            let entry = cursors[least].entry
            if entry.seq >= firstSeq, live?.contains(entry.seq) ?? true { try writer.append(entry) }
            if try !cursors[least].advance() { cursors.remove(at: least) }
            count += 1
            if count % IdentityMerge.lookInterval == 0, isCancelled() { throw .cancelled }
        }
    }

    /// A place in a run.
    private final class Cursor {
        private let run: IdentityRun
        private let page = IdentityPage()
        private var block = 0
        private var index = 0
        private(set) var entry = IdentityEntry(fingerprint: 0, seq: 0)

        init(_ run: IdentityRun) { self.run = run }

        /// - Returns: false if there is no entry.
        func load() throws(IdentityFileError) -> Bool {
            guard block < run.header.blockCount else { return false }
            try run.read(block, page)
            guard page.count > 0 else { return false }
            index = 0
            entry = page[0]
            return true
        }

        /// - Returns: false at the end.
        func advance() throws(IdentityFileError) -> Bool {
            index += 1
            if index < page.count {
                entry = page[index]
                return true
            }
            block += 1
            return try load()
        }
    }
}

/// Which rows of a range are there: one bit each. A row that goes meanwhile may still be in it.
struct LiveRows {
    private let range: SeqRange
    private var words: [UInt64]

    /// Rows read in one snapshot, so that no checkpoint waits for long.
    private static let step: Int64 = 50_000

    /// Reads the rows' numbers through a connection of its own. Any thread that may block.
    init(path: String, range: SeqRange, isCancelled: () -> Bool) throws(SQLiteError) {
        self.range = range
        words = Array(repeating: 0, count: Int(range.count / 64 + 1))
        let connection = try Connection(path: path, role: .reader)
        let select = try connection.prepare(
            """
            SELECT seq FROM event_rows WHERE seq > ?1 AND seq <= ?2
            UNION ALL SELECT seq FROM erased_identities WHERE seq > ?1 AND seq <= ?2
            ORDER BY 1 LIMIT ?3
            """)
        var last = range.after
        var found = LiveRows.step
        while found == LiveRows.step, !isCancelled() {
            select.bind(1, last)
            select.bind(2, range.last)
            select.bind(3, LiveRows.step)
            found = 0
            while try select.step() {
                last = select.integer(0)
                let offset = Int(last - range.after - 1)
                words[offset / 64] |= 1 << UInt64(offset % 64)
                found += 1
            }
        }
    }

    func contains(_ seq: Int64) -> Bool {
        guard seq > range.after, seq <= range.last else { return true }
        let offset = Int(seq - range.after - 1)
        return words[offset / 64] >> UInt64(offset % 64) & 1 == 1
    }
}
