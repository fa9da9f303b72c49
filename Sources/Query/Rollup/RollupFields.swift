import Primitives
import SQLite
import Storage

/// Finds the fields of all rollups in a row, each once. The writer's thread.
final class RollupFields {
    private let data: FieldFinder
    private let ext: FieldFinder
    private var row: TalliedRow?
    private var hasReadData = false
    private var hasReadExt = false

    /// - Parameter fields: all that any rollup reads; `readings` of each are found by its place.
    init(_ fields: [QueryField]) {
        var dataPaths: [QueryPath] = []
        var extPaths: [QueryPath] = []
        for field in fields {
            switch field.place {
            case .data(let path) where !dataPaths.contains(path): dataPaths.append(path)
            case .ext(let path) where !extPaths.contains(path): extPaths.append(path)
            default: continue
            }
        }
        self.dataPaths = dataPaths
        self.extPaths = extPaths
        data = FieldFinder(dataPaths)
        ext = FieldFinder(extPaths)
    }

    private let dataPaths: [QueryPath]
    private let extPaths: [QueryPath]

    /// How the field is read.
    func reading(_ field: QueryField) -> ScanLayout.Reading {
        switch field.place {
        case .time: .time
        case .type: .type
        case .source: .source
        case .subject: .subject
        case .id: .id
        case .data(let path): .data(dataPaths.firstIndex(of: path) ?? 0)
        case .ext(let path): .ext(extPaths.firstIndex(of: path) ?? 0)
        }
    }

    /// Goes to another row, whose bytes must stay while values are used. Nothing is read yet.
    func begin(_ row: TalliedRow) {
        self.row = row
        hasReadData = false
        hasReadExt = false
    }

    /// A field of the row; types and sources are their numbers.
    func value(_ reading: ScanLayout.Reading) -> QueryValue {
        guard let row else { return .null }
        switch reading {
        case .time: return .integer(row.time)
        case .type: return .integer(row.typeID)
        case .source: return .integer(row.sourceID)
        case .subject: return row.subject.map { .text($0) } ?? .null
        case .id: return .null
        case .data(let slot), .filtered(let slot):
            if !hasReadData {
                hasReadData = true
                data.read(row.data ?? UnsafeRawBufferPointer(start: nil, count: 0))
            }
            return data.value(slot)
        case .ext(let slot):
            if !hasReadExt {
                hasReadExt = true
                ext.read(row.extensions ?? UnsafeRawBufferPointer(start: nil, count: 0))
            }
            return ext.value(slot)
        }
    }
}

/// The key of a rollup's row: the values of its fields, one after the other. Unlike in a `GROUP
/// BY`, a whole number that was sent as a real is not the integer: which of the two an answer shows
/// depends on the events that are there, and those can go.
enum RollupKey {
    /// The one byte of the key of the row for all groups that have none.
    static let other: UInt8 = 0xFF
    /// A longer key belongs to the row for all others.
    static let limitBytes = 1024

    @inline(__always)
    static func append(_ value: QueryValue, to key: inout ByteBuffer) {
        guard case .real(let number) = value else {
            _ = ValueKey.append(value, to: &key)
            return
        }
        ValueKey.append(real: number, to: &key)
    }

    /// Reads the next value; null past the end.
    static func take(_ bytes: inout ByteReader) -> QueryValue {
        switch bytes.byte() {
        case ValueKey.integer: .integer(Int64(bitPattern: bytes.word()))
        case ValueKey.real: .real(Double(bitPattern: bytes.word()))
        case ValueKey.text: .text(bytes.take(bytes.length()))
        case ValueKey.json: .json(bytes.take(bytes.length()))
        case ValueKey.true: .boolean(true)
        case ValueKey.false: .boolean(false)
        default: .null
        }
    }

    static func isOther(_ key: UnsafeRawBufferPointer) -> Bool { key.first == other }
}
