internal import Glibc
import Primitives
import SQLite

/// One value of an answer or of an event's field. Bytes are borrowed from whoever made it.
enum QueryValue {
    case null
    case integer(Int64)
    case real(Double)
    case text(UnsafeRawBufferPointer)
    case boolean(Bool)
    /// An object or an array, without white space between its tokens.
    case json(UnsafeRawBufferPointer)

    /// Column `index` of the row that `statement` stands on; `TypedValue` says how the kinds of JSON
    /// come through SQL. Valid until the statement steps.
    init(_ statement: Statement, _ index: Int) {
        switch statement.columnType(index) {
        case .null: self = .null
        case .integer: self = .integer(statement.integer(index))
        case .real: self = .real(statement.real(index))
        case .text: self = .text(statement.bytes(index))
        case .blob:
            let bytes = statement.bytes(index)
            self = bytes.count == 1 ? .boolean(bytes[0] == 1) : .json(bytes)
        }
    }

    /// What a value of the column is; the empty set for null.
    var kinds: ValueKinds {
        switch self {
        case .null: []
        case .integer: .integer
        case .real: .real
        case .text: .text
        case .boolean: .boolean
        case .json: .json
        }
    }
}

/// The order that rows are sorted in: null, numbers, text, booleans, objects and arrays.
extension QueryValue {
    private var rank: Int {
        switch self {
        case .null: 0
        case .integer, .real: 1
        case .text: 2
        case .boolean: 3
        case .json: 4
        }
    }

    /// Below 0 if `a` comes before `b`, 0 if they are equal. Numbers are compared exactly: a double
    /// between two integers is neither of them. Text is compared byte by byte.
    static func compare(_ a: QueryValue, _ b: QueryValue) -> Int {
        switch (a, b) {
        case (.integer(let a), .integer(let b)): return a < b ? -1 : a == b ? 0 : 1
        case (.real(let a), .real(let b)): return a < b ? -1 : a == b ? 0 : 1
        case (.integer(let a), .real(let b)): return compare(a, b)
        case (.real(let a), .integer(let b)): return -compare(b, a)
        case (.text(let a), .text(let b)), (.json(let a), .json(let b)): return compare(a, b)
        case (.boolean(let a), .boolean(let b)): return a == b ? 0 : b ? -1 : 1
        default: return a.rank - b.rank
        }
    }

    static func compare(_ a: Int64, _ b: Double) -> Int {
        // Beyond 64 bits the double alone decides; inside, its whole part is an integer.
        if b >= 9_223_372_036_854_775_808 { return -1 }
        // Not a number, which only a damaged file holds, comes first.
        guard b >= -9_223_372_036_854_775_808 else { return 1 }
        let whole = Int64(b.rounded(.down))
        if a != whole { return a < whole ? -1 : 1 }
        return b == b.rounded(.down) ? 0 : -1
    }

    static func compare(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
        let common = min(a.count, b.count)
        if common > 0, let left = a.baseAddress, let right = b.baseAddress {
            let order = memcmp(left, right, common)
            if order != 0 { return Int(order) }
        }
        return a.count - b.count
    }
}

/// Writing the values of a row.
extension ByteBuffer {
    /// Appends `value` as JSON.
    /// - Parameter isTime: its integers are milliseconds since 1970.
    mutating func append(json value: QueryValue, isTime: Bool) {
        switch value {
        case .null: append("null")
        case .integer(let moment) where isTime:
            append("\"")
            append(timestamp: moment)
            append("\"")
        case .integer(let number): append(decimal: number)
        case .real(let number): append(json: number)
        case .text(let text): append(jsonString: text)
        case .boolean(let flag): append(flag ? "true" : "false")
        case .json(let json): append(json)
        }
    }

    /// Appends `value` as a CSV field: null, and what JSON writes as null, is empty; an empty text
    /// is `""`.
    mutating func append(csv value: QueryValue, isTime: Bool) {
        switch value {
        case .null: return
        case .integer(let moment) where isTime: append(timestamp: moment)
        case .real(let number): if number.isFinite { append(json: number) }
        case .text(let text), .json(let text): append(csv: text)
        case .integer, .boolean: append(json: value, isTime: false)
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
}
