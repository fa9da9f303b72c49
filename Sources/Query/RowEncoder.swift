import Primitives
import SQLite

/// Writes rows as they come out of SQLite, each value once, straight into the answer's bytes.
struct RowEncoder: ~Copyable {
    private let columns: [CompiledQuery.Column]
    private let layout: Layout
    /// `"name":` of each column, for objects.
    private let labels: [Bytes]
    private var kinds: [ValueKinds]
    private(set) var rowCount = 0
    private var rows = ByteBuffer(capacity: 16 << 10)

    private enum Layout {
        /// Rows of a JSON array, as arrays or as objects.
        case arrays, objects
        /// An object a line.
        case lines
        case csv
    }

    init(_ columns: [CompiledQuery.Column], format: QueryFormat, shape: QueryShape) {
        self.columns = columns
        switch format {
        case .json: layout = shape == .objects ? .objects : .arrays
        case .ndjson: layout = .lines
        case .csv: layout = .csv
        }
        kinds = Array(repeating: [], count: columns.count)
        labels = columns.map { column in
            var label = ByteBuffer(capacity: column.name.utf8.count + 8)
            label.append(jsonString: column.name)
            label.append(":")
            return label.freeze()
        }
    }

    /// Bytes of the rows so far.
    var byteCount: Int { rows.count }

    /// Appends the row that `statement` stands on.
    mutating func append(_ statement: Statement) {
        switch layout {
        case .arrays, .objects:
            if rowCount > 0 { rows.append(",") }
            appendJSON(statement)
        case .lines:
            appendJSON(statement)
            rows.append("\n")
        case .csv: appendCSV(statement)
        }
        rowCount += 1
    }

    private mutating func appendJSON(_ statement: Statement) {
        rows.append(layout == .arrays ? "[" : "{")
        for index in columns.indices {
            if index > 0 { rows.append(",") }
            if layout != .arrays { rows.append(labels[index].span) }
            kinds[index].formUnion(
                rows.append(json: statement, index, isTime: columns[index].isTime))
        }
        rows.append(layout == .arrays ? "]" : "}")
    }

    private mutating func appendCSV(_ statement: Statement) {
        for index in columns.indices {
            if index > 0 { rows.append(",") }
            kinds[index].formUnion(
                rows.append(csv: statement, index, isTime: columns[index].isTime))
        }
        rows.append("\r\n")
    }

    /// The whole answer.
    /// - Parameter next: the cursor of the next page, if there is one.
    consuming func finish(mediaType: String, next: String?) -> QueryResult {
        let named = zip(columns, kinds).map { column, kinds in
            QueryResult.Column(name: column.name, type: RowEncoder.type(of: column, kinds))
        }
        return QueryResult(
            columns: named, rowCount: rowCount, next: next, mediaType: mediaType,
            body: body(named, next: next))
    }

    /// What a column held; where that was nothing but null, what it could have held.
    private static func type(
        of column: CompiledQuery.Column, _ kinds: ValueKinds
    ) -> QueryResult.ColumnType {
        if kinds == [] { return column.type ?? .any }
        return column.isTime ? .time : kinds.columnType
    }

    private borrowing func body(_ named: [QueryResult.Column], next: String?) -> Bytes {
        var body = ByteBuffer(capacity: rows.count + 256 + named.count * 64)
        switch layout {
        case .lines: body.append(rows.span)
        case .csv:
            for (index, column) in named.enumerated() {
                if index > 0 { body.append(",") }
                body.append(csv: column.name)
            }
            body.append("\r\n")
            body.append(rows.span)
        case .arrays, .objects:
            body.append(head: named)
            body.append(rows.span)
            body.append("],\"row_count\":")
            body.append(decimal: rowCount)
            body.append(
                next == nil ? ",\"truncated\":false,\"next\":" : ",\"truncated\":true,\"next\":")
            body.append(jsonStringOrNull: next)
            body.append("}")
        }
        return body.freeze()
    }
}

extension ByteBuffer {
    fileprivate mutating func append(head columns: [QueryResult.Column]) {
        append("{\"columns\":[")
        for (index, column) in columns.enumerated() {
            if index > 0 { append(",") }
            append("{\"name\":")
            append(jsonString: column.name)
            append(",\"type\":")
            append(jsonString: column.type.rawValue)
            append("}")
        }
        append("],\"rows\":[")
    }
}
