import Primitives
import SQLite
import Storage

/// Rollups as a table of SQL: a row for each group and bucket of those that are complete.
///
/// Counts and sums are always right. What a bucket does not know until it is counted anew (decision
/// 47) is null, and `stale` is then 1.
enum RollupRowTable {
    static let name = "rollups"
    static let columns: [VirtualTable.Column] = [
        .init("name", isSearchable: true), .init("time", "INTEGER", isSearchable: true),
        .init("groups"), .init("count", "INTEGER"), .init("metrics"), .init("stale", "INTEGER"),
    ]

    static let nameColumn = 0
    static let timeColumn = 1
    static let groupsColumn = 2
    static let countColumn = 3
    static let metricsColumn = 4
    static let staleColumn = 5

    /// - Parameter rollups: those that the store keeps, as they are declared.
    static func table(_ rollups: [Rollup]) -> VirtualTable {
        VirtualTable(name: name, columns: columns) { (connection, request) throws(SQLiteError) in
            try RollupRows(rollups, request, connection)
        }
    }
}

/// One reading of the table. Belongs to the thread of the connection, which is in a transaction.
final class RollupRows: VirtualRows {
    private struct Source {
        let rollup: Rollup
        let id: Int64
    }

    private let connection: Connection
    private let range: (from: Int64?, to: Int64?)
    private var types: NameTable
    private var sources: NameTable
    /// Those that have not been read, the next one last.
    private var left: [Source] = []
    private var current: Source?
    private var select: Statement?
    private var states = RollupStates([])
    private var text = ByteBuffer(capacity: 256)

    /// Names are forgotten beyond this, as `NameTable` counts them.
    private static let nameLimitBytes = 512 << 10

    private static let sql = """
        SELECT r.bucket, r.key, r.count, r.state, coalesce(b.flags, 0)
        FROM main.rollup_rows AS r LEFT JOIN main.rollup_buckets AS b
            ON b.rollup_id = r.rollup_id AND b.bucket = r.bucket
        WHERE r.rollup_id = ?1 AND r.bucket >= ?2 AND r.bucket <= ?3
        """

    init(
        _ rollups: [Rollup], _ request: VirtualRequest, _ connection: Connection
    ) throws(SQLiteError) {
        self.connection = connection
        range = request.range(of: RollupRowTable.timeColumn)
        types = RollupRows.types(connection)
        sources = RollupRows.sources(connection)
        let name = request.text(of: RollupRowTable.nameColumn)
        let known = try connection.trusted { () throws(SQLiteError) in
            try RollupCatalogue(connection).records()
        }
        for rollup in rollups.reversed() where name == nil || rollup.name == name {
            let record = known.first {
                $0.name == rollup.name && $0.fingerprint == rollup.fingerprint
            }
            guard let record, record.isComplete else { continue }
            left.append(Source(rollup: rollup, id: record.id))
        }
    }

    func next() throws(SQLiteError) -> Bool {
        while true {
            if let select {
                if try select.step() {
                    states.begin()
                    return true
                }
                self.select = nil
            }
            guard let source = left.popLast() else { return false }
            try begin(source)
        }
    }

    private static func types(_ connection: Connection) -> NameTable {
        NameTable("event_types", connection, isTrusted: true)
    }

    private static func sources(_ connection: Connection) -> NameTable {
        NameTable("event_sources", connection, isTrusted: true)
    }

    private func begin(_ source: Source) throws(SQLiteError) {
        let statement = try connection.trusted { [connection] () throws(SQLiteError) in
            try connection.prepare(RollupRows.sql)
        }
        statement.bind(1, source.id)
        statement.bind(2, range.from ?? .min)
        statement.bind(3, range.to ?? .max)
        current = source
        states = RollupStates(source.rollup.feeds)
        select = statement
    }

    // MARK: Values

    func give(_ column: Int, to result: VirtualResult) {
        guard let select, let current else { return }
        let flags = RollupBucket.Flags(rawValue: select.integer(4))
        switch column {
        case RollupRowTable.nameColumn: result.set(current.rollup.name)
        case RollupRowTable.timeColumn: result.set(select, 0)
        case RollupRowTable.groupsColumn: giveGroups(current.rollup, select.bytes(1), result)
        case RollupRowTable.countColumn:
            if !flags.contains(.broken) { result.set(select, 2) }
        case RollupRowTable.metricsColumn:
            text.removeAll()
            states.write(select.bytes(3), flags, to: &text)
            result.set(text.span)
        case RollupRowTable.staleColumn:
            result.set(flags.isDisjoint(with: [.stale, .broken]) ? 0 : 1)
        default: return
        }
    }

    /// Nothing for the row that groups without a row of their own share.
    private func giveGroups(
        _ rollup: Rollup, _ key: UnsafeRawBufferPointer, _ result: VirtualResult
    ) {
        guard !RollupKey.isOther(key) else { return }
        if types.byteCount > RollupRows.nameLimitBytes { types = RollupRows.types(connection) }
        if sources.byteCount > RollupRows.nameLimitBytes {
            sources = RollupRows.sources(connection)
        }
        var bytes = ByteReader(key)
        text.removeAll()
        text.append("{")
        for (index, field) in rollup.groups.enumerated() {
            if index > 0 { text.append(",") }
            text.append(jsonString: field.name)
            text.append(":")
            do throws(SQLiteError) {
                text.append(json: try named(RollupKey.take(&bytes), field), isTime: false)
            } catch { return result.fail(error) }
        }
        text.append("}")
        result.set(text.span)
    }

    /// Types and sources by their names. One that a damaged file does not have is null.
    private func named(
        _ value: QueryValue, _ field: QueryField
    ) throws(SQLiteError) -> QueryValue {
        guard case .integer(let id) = value else { return value }
        switch field.place {
        case .type: return try types.name(id)
        case .source: return try sources.name(id)
        default: return value
        }
    }
}

/// Reads the states of rows of one rollup, one after the other.
struct RollupStates {
    private let feeds: [RollupFeed]
    private var accumulators: [Accumulator] = []
    /// The group that the current row's states are merged into; -1 before the first.
    private var group = RollupStates.limit
    private var isMerged = false

    /// Accumulators only grow, so they are made anew after so many rows.
    private static let limit = 32

    init(_ feeds: [RollupFeed]) { self.feeds = feeds }

    /// Goes on to the next row.
    mutating func begin() { isMerged = false }

    /// Appends the metrics of a row as a JSON object: of each field all that is kept of it.
    mutating func write(
        _ state: UnsafeRawBufferPointer, _ flags: RollupBucket.Flags, to text: inout ByteBuffer
    ) {
        merge(state)
        text.append("{")
        var isFirst = true
        for (index, feed) in feeds.enumerated() {
            for function in QueryMetric.Function.allCases
            where function.family == feed.function.family {
                if !isFirst { text.append(",") }
                isFirst = false
                text.append(jsonString: "\(function.rawValue):\(feed.field.name)")
                text.append(":")
                let isKnown =
                    !flags.contains(.broken)
                    && (function.family == QueryMetric.Function.sum.family
                        || !flags.contains(.stale))
                let value = isKnown ? accumulators[index].value(function, of: group) : .null
                text.append(json: value, isTime: false)
            }
        }
        text.append("}")
    }

    private mutating func merge(_ state: UnsafeRawBufferPointer) {
        guard !isMerged else { return }
        isMerged = true
        group += 1
        if group >= RollupStates.limit {
            accumulators = feeds.map { Accumulator.make($0.function, isSketched: true) }
            group = 0
        }
        var parts = RollupState(state)
        for accumulator in accumulators {
            accumulator.extend(to: group + 1)
            var bytes = ByteReader(parts.next())
            accumulator.merge(&bytes, into: group)
        }
    }
}
