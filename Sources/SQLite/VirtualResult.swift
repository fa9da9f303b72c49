internal import CSQLite

/// Takes the value of a column of a `VirtualTable`. Bytes are copied. Valid for one call.
package struct VirtualResult {
    private let context: OpaquePointer

    init(_ context: OpaquePointer) { self.context = context }

    /// The corresponding C function is `sqlite3_result_int64`.
    package func set(_ value: Int64) { sqlite3_result_int64(context, value) }

    /// UTF-8. The corresponding C function is `sqlite3_result_text64`.
    package func set(_ text: UnsafeRawBufferPointer) {
        let start = text.baseAddress?.assumingMemoryBound(to: CChar.self)
        guard let start else { return millrace_result_text_copy(context, "", 0) }
        millrace_result_text_copy(context, start, Int64(text.count))
    }

    package func set(_ text: String) {
        var text = text
        text.withUTF8 { set(UnsafeRawBufferPointer($0)) }
    }

    /// Has the statement fail. The corresponding C function is `sqlite3_result_error_code`.
    package func fail(_ error: SQLiteError) { sqlite3_result_error_code(context, error.code) }

    /// The value that a column of another statement has in its current row.
    package func set(_ statement: Statement, _ column: Int) {
        switch statement.columnType(column) {
        case .null: return
        case .integer: set(statement.integer(column))
        case .real: sqlite3_result_double(context, statement.real(column))
        case .text, .blob: set(statement.bytes(column))
        }
    }
}
