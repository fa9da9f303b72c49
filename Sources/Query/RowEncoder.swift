import Primitives

/// Writes rows, each value once, straight into the answer's bytes: `append` for each value of a row
/// in the order of the columns.
struct RowEncoder: ~Copyable {
    private let columns: [QueryColumn]
    private let layout: Layout
    /// `"name":` of each column, for objects.
    private let labels: [Bytes]
    private var kinds: [ValueKinds]
    private let approximate: Set<Int>
    private(set) var rowCount = 0
    /// Which value of a row comes next.
    private var column = 0
    private var rows = ByteBuffer(capacity: 16 << 10)

    private enum Layout {
        /// Rows of a JSON array, as arrays or as objects.
        case arrays, objects
        /// An object a line.
        case lines
        case csv
    }

    /// - Parameter approximate: metrics that come from sketches, by their number in the request.
    init(_ request: QueryRequest, approximate: [Int] = []) {
        self.init(
            request.columns, request.format, request.shape,
            approximate: Set(approximate.map { $0 + request.keyCount }))
    }

    /// - Parameter approximate: columns that come from sketches, by their number.
    init(
        _ columns: [QueryColumn], _ format: QueryFormat, _ shape: QueryShape,
        approximate: Set<Int> = []
    ) {
        self.approximate = approximate
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

    /// The rows of one page may take this much. Groups can be any JSON, up to 256 KiB a value, so a
    /// limit of rows alone would allow gigabytes.
    static let limitBytes = 16 << 20

    /// Some columns come from sketches.
    var isApproximate: Bool { !approximate.isEmpty }

    /// The page has as many bytes as it may.
    var isFull: Bool { rows.count >= RowEncoder.limitBytes }

    /// What the rows have taken so far.
    var byteCount: Int { rows.count }

    /// Appends the next value of the row.
    mutating func append(_ value: QueryValue) {
        if column == 0 { startRow() } else { rows.append(",") }
        kinds[column].formUnion(value.kinds)
        let isTime = columns[column].isTime
        let start = rows.count
        switch layout {
        case .csv: rows.append(csv: value, isTime: isTime)
        case .arrays: rows.append(json: value, isTime: isTime)
        case .objects, .lines:
            rows.append(labels[column].span)
            rows.append(json: value, isTime: isTime)
        }
        column += 1
        guard column == columns.count else { return }
        // Readers of CSV pass over empty lines, so a single null must not be one.
        if layout == .csv, columns.count == 1, rows.count == start { rows.append("\"\"") }
        endRow()
    }

    private mutating func startRow() {
        switch layout {
        case .csv: return
        case .lines: rows.append("{")
        case .arrays: rows.append(rowCount > 0 ? ",[" : "[")
        case .objects: rows.append(rowCount > 0 ? ",{" : "{")
        }
    }

    private mutating func endRow() {
        switch layout {
        case .arrays: rows.append("]")
        case .objects: rows.append("}")
        case .lines: rows.append("}\n")
        case .csv: rows.append("\r\n")
        }
        column = 0
        rowCount += 1
    }

    /// The whole answer.
    /// - Parameters:
    ///   - next: the cursor of the next page, if there is one.
    ///   - isCut: there were more rows, of which there is no page.
    consuming func finish(
        _ format: QueryFormat, next: String?, isCut: Bool = false, from snapshot: QuerySnapshot
    ) -> QueryAnswer {
        let named = columns.indices.map { index in
            QueryAnswer.Column(
                name: columns[index].name, type: RowEncoder.type(of: columns[index], kinds[index]),
                isApproximate: approximate.contains(index))
        }
        return QueryAnswer(
            columns: named, rowCount: rowCount, next: next, format: format,
            body: body(named, next: next, isTruncated: isCut || next != nil),
            generation: snapshot.generation, computedAt: snapshot.takenAt, isCut: isCut)
    }

    /// What a column held; where that was nothing but null, what it could have held.
    private static func type(
        of column: QueryColumn, _ kinds: ValueKinds
    ) -> QueryAnswer.ColumnType {
        if kinds == [] { return column.type ?? .any }
        return column.isTime ? .time : kinds.columnType
    }

    private borrowing func body(
        _ named: [QueryAnswer.Column], next: String?, isTruncated: Bool
    ) -> Bytes {
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
                isTruncated ? ",\"truncated\":true,\"next\":" : ",\"truncated\":false,\"next\":")
            body.append(jsonStringOrNull: next)
            body.append("}")
        }
        // It may be kept for an hour, and a cache counts its bytes, not the room around them.
        let spare = body.capacity - body.count
        if spare > body.count / 8 + RowEncoder.spareBytes { return Bytes(body.span) }
        return body.freeze()
    }
    private static let spareBytes = 512
}

extension ByteBuffer {
    fileprivate mutating func append(head columns: [QueryAnswer.Column]) {
        append("{\"columns\":[")
        for (index, column) in columns.enumerated() {
            if index > 0 { append(",") }
            append("{\"name\":")
            append(jsonString: column.name)
            append(",\"type\":")
            append(jsonString: column.type.rawValue)
            append(column.isApproximate ? ",\"approximate\":true}" : "}")
        }
        append("],\"rows\":[")
    }
}
