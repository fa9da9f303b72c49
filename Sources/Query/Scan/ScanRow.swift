import Primitives
import SQLite

/// The fields of the row that a statement stands on. Values are valid until it steps.
final class ScanRow {
    private let statement: Statement
    private let columns: ScanColumns
    private let filtered: FieldFinder
    private let data: FieldFinder
    private let ext: FieldFinder
    private let types: NameTable
    private let sources: NameTable
    private let uuid = ScratchBytes()

    init(
        _ layout: ScanLayout, _ columns: ScanColumns, _ statement: Statement, types: NameTable,
        sources: NameTable
    ) {
        self.statement = statement
        self.columns = columns
        self.types = types
        self.sources = sources
        filtered = FieldFinder(layout.filteredPaths)
        data = FieldFinder(layout.dataPaths)
        ext = FieldFinder(layout.extPaths)
    }

    /// Call on each row before the conditions are looked at.
    func begin() {
        if filtered.count > 0 { filtered.read(statement.bytes(columns.data)) }
        if ext.count > 0 { ext.read(statement.bytes(columns.ext)) }
    }

    /// Call on each row that counts, before its groups and metrics are looked at.
    func count() {
        if data.count > 0 { data.read(statement.bytes(columns.data)) }
    }

    var time: Int64 { statement.integer(columns.time) }
    var typeID: Int64 { statement.integer(columns.type) }
    var sourceID: Int64 { statement.integer(columns.source) }

    @inline(__always)
    func value(_ reading: ScanLayout.Reading) throws(SQLiteError) -> QueryValue {
        switch reading {
        case .data(let slot): return data.value(slot)
        case .filtered(let slot): return filtered.value(slot)
        case .ext(let slot): return ext.value(slot)
        case .time: return .integer(time)
        case .type: return try types.name(typeID)
        case .source: return try sources.name(sourceID)
        case .subject:
            return statement.isNull(columns.subject)
                ? .null : .text(statement.bytes(columns.subject))
        case .id: return id
        }
    }

    /// An id that the service gave is not stored: it is the key, written as a UUID.
    private var id: QueryValue {
        guard statement.isNull(columns.id) else { return .text(statement.bytes(columns.id)) }
        let key = statement.bytes(columns.key)
        guard key.count == 16 else { return .null }
        let text = uuid.write(36) { out in
            var place = 0
            for (index, byte) in key.enumerated() {
                if index == 4 || index == 6 || index == 8 || index == 10 {
                    out[place] = CChar(UInt8(ascii: "-"))
                    place += 1
                }
                out[place] = CChar(hexDigit(byte >> 4))
                out[place + 1] = CChar(hexDigit(byte & 15))
                place += 2
            }
            return place
        }
        return .text(text)
    }
}
