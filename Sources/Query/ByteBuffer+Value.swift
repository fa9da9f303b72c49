import Primitives
import SQLite

/// Writing the values of a row; `TypedValue` says how JSON's types came through SQL.
extension ByteBuffer {
    /// Appends column `index` of the row as JSON.
    mutating func append(json statement: Statement, _ index: Int, isTime: Bool) -> ValueKinds {
        switch statement.columnType(index) {
        case .null: append("null")
        case .integer where isTime:
            append("\"")
            append(timestamp: statement.integer(index))
            append("\"")
            return .integer
        case .integer:
            append(decimal: statement.integer(index))
            return .integer
        case .real:
            append(json: statement.real(index))
            return .real
        case .text:
            append(jsonString: statement.bytes(index))
            return .text
        case .blob: return append(typed: statement.bytes(index))
        }
        return []
    }

    /// Appends column `index` of the row as a CSV field: null is empty, an empty text is `""`.
    mutating func append(csv statement: Statement, _ index: Int, isTime: Bool) -> ValueKinds {
        switch statement.columnType(index) {
        case .null: return []
        case .integer where isTime:
            append(timestamp: statement.integer(index))
            return .integer
        case .text:
            append(csv: statement.bytes(index))
            return .text
        case .blob:
            var value = ByteBuffer(capacity: statement.bytes(index).count + 8)
            let kind = value.append(typed: statement.bytes(index))
            append(csv: value.span)
            return kind
        case .integer, .real: return append(json: statement, index, isTime: false)
        }
    }

    /// Appends text as a CSV field (RFC 4180, section 2), quoted where it has to be.
    ///
    /// A text that a spreadsheet would take for a formula (`=1+1`) stays as it is: the answer says
    /// what was sent, and whoever opens it in a spreadsheet imports it as text.
    mutating func append(csv text: UnsafeRawBufferPointer) {
        let needsQuotes =
            text.isEmpty
            || text.contains {
                $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "\"") || $0 == 0x0A || $0 == 0x0D
            }
        guard needsQuotes else { return append(text) }
        append("\"")
        var rest = text[...]
        while let quote = rest.firstIndex(of: UInt8(ascii: "\"")) {
            append(UnsafeRawBufferPointer(rebasing: rest[...quote]))
            append("\"")
            rest = rest[(quote + 1)...]
        }
        append(UnsafeRawBufferPointer(rebasing: rest))
        append("\"")
    }

    mutating func append(csv text: String) {
        var text = text
        text.withUTF8 { append(csv: UnsafeRawBufferPointer($0)) }
    }

    private mutating func append(typed blob: UnsafeRawBufferPointer) -> ValueKinds {
        guard blob.count == 1 else {
            append(blob)
            return .json
        }
        append(blob.first == 1 ? "true" : "false")
        return .boolean
    }
}
