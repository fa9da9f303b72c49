internal import CSQLite
import Primitives

/// A value that SQLite stores or returns.
package enum SQLValue: Hashable, Sendable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])
}

/// A prepared statement: bind (parameters count from 1), step, read columns (they count from 0).
/// Belongs to its connection's thread.
package final class Statement {
    private let handle: OpaquePointer
    private unowned let connection: Connection
    /// Why a value could not be bound.
    private var bindingError: SQLiteError?

    init(_ handle: OpaquePointer, connection: Connection) {
        self.handle = handle
        self.connection = connection
    }

    deinit { sqlite3_finalize(handle) }

    /// Ready to run again, with every parameter null.
    package func reset() {
        sqlite3_reset(handle)
        sqlite3_clear_bindings(handle)
        bindingError = nil
    }

    /// Ready to run again, parameters kept.
    package func rewind() { sqlite3_reset(handle) }

    /// Moves to the next row. The corresponding C function is `sqlite3_step`.
    /// - Returns: false when there are no more; the statement is then rewound.
    package func step() throws(SQLiteError) -> Bool {
        if let error = bindingError {
            bindingError = nil
            throw error
        }
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE:
            sqlite3_reset(handle)
            return false
        default:
            let error = connection.error(sql)
            sqlite3_reset(handle)
            throw error
        }
    }

    /// Runs to the end, ignoring rows.
    package func run() throws(SQLiteError) { while try step() {} }

    // MARK: Parameters

    package func bind(_ index: Int, _ value: Int64) {
        check(sqlite3_bind_int64(handle, Int32(index), value))
    }

    package func bind(_ index: Int, _ value: Double) {
        check(sqlite3_bind_double(handle, Int32(index), value))
    }

    package func bindNull(_ index: Int) { check(sqlite3_bind_null(handle, Int32(index))) }

    package func bind(_ index: Int, _ value: String) {
        var value = value
        value.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                check(
                    millrace_bind_text_copy(
                        handle, Int32(index), $0.baseAddress ?? Statement.empty, Int64($0.count)))
            }
        }
    }

    /// Binds UTF-8 without copying it: `text` must stay valid until the statement is rebound.
    package func bind(_ index: Int, borrowedText text: UnsafeRawBufferPointer) {
        let start = text.baseAddress?.assumingMemoryBound(to: CChar.self) ?? Statement.empty
        check(millrace_bind_text_static(handle, Int32(index), start, Int64(text.count)))
    }

    /// Binds bytes without copying them: `blob` must stay valid until the statement is rebound.
    package func bind(_ index: Int, borrowedBlob blob: UnsafeRawBufferPointer) {
        let start = blob.baseAddress ?? UnsafeRawPointer(Statement.empty)
        check(millrace_bind_blob_static(handle, Int32(index), start, Int64(blob.count)))
    }

    /// Binds 16 bytes, high half first, so that keys sort as numbers do.
    package func bind(_ index: Int, _ key: Key128) {
        var bytes = (key.high.bigEndian, key.low.bigEndian)
        withUnsafeBytes(of: &bytes) {
            check(
                millrace_bind_blob_copy(handle, Int32(index), $0.baseAddress, Int64($0.count)))
        }
    }

    package func bind(_ index: Int, _ value: SQLValue) {
        switch value {
        case .null: bindNull(index)
        case .integer(let value): bind(index, value)
        case .real(let value): bind(index, value)
        case .text(let value): bind(index, value)
        case .blob(let value):
            value.withUnsafeBytes {
                check(
                    millrace_bind_blob_copy(
                        handle, Int32(index), $0.baseAddress ?? UnsafeRawPointer(Statement.empty),
                        Int64($0.count)))
            }
        }
    }

    /// Binds `values` to the parameters 1, 2, …
    package func bind(_ values: [SQLValue]) {
        for (index, value) in values.enumerated() { bind(index + 1, value) }
    }

    /// It changes nothing. The corresponding C function is `sqlite3_stmt_readonly`.
    package var isReadOnly: Bool { sqlite3_stmt_readonly(handle) != 0 }

    /// It is an `EXPLAIN`. The corresponding C function is `sqlite3_stmt_isexplain`.
    package var isExplain: Bool { sqlite3_stmt_isexplain(handle) != 0 }

    package var parameterCount: Int { Int(sqlite3_bind_parameter_count(handle)) }

    /// The name of parameter `index` with its `:`, `@` or `$`; nil if it has none.
    package func parameterName(_ index: Int) -> String? {
        sqlite3_bind_parameter_name(handle, Int32(index)).map { String(cString: $0) }
    }

    // MARK: Columns

    package var columnCount: Int { Int(sqlite3_column_count(handle)) }
    package func columnName(_ index: Int) -> String {
        sqlite3_column_name(handle, Int32(index)).map { String(cString: $0) } ?? ""
    }

    package func isNull(_ index: Int) -> Bool {
        sqlite3_column_type(handle, Int32(index)) == SQLITE_NULL
    }
    package func integer(_ index: Int) -> Int64 { sqlite3_column_int64(handle, Int32(index)) }
    package func real(_ index: Int) -> Double { sqlite3_column_double(handle, Int32(index)) }
    package func text(_ index: Int) -> String { String(decoding: bytes(index), as: UTF8.self) }
    package func textOrNil(_ index: Int) -> String? { isNull(index) ? nil : text(index) }

    /// The bytes of a text or blob column; valid until the next step or reset.
    package func bytes(_ index: Int) -> UnsafeRawBufferPointer {
        let start = sqlite3_column_blob(handle, Int32(index))
        let count = Int(sqlite3_column_bytes(handle, Int32(index)))
        return UnsafeRawBufferPointer(
            start: count == 0 ? nil : start, count: start == nil ? 0 : count)
    }

    /// As `bytes`; nil if the column is null.
    package func bytesOrNil(_ index: Int) -> UnsafeRawBufferPointer? {
        isNull(index) ? nil : bytes(index)
    }

    package func key(_ index: Int) -> Key128? {
        let bytes = bytes(index)
        guard bytes.count == 16 else { return nil }
        return Key128(
            high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
            low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }

    /// SQLite's own type of the value in this row.
    package enum ColumnType: Sendable { case null, integer, real, text, blob }

    package func columnType(_ index: Int) -> ColumnType {
        switch sqlite3_column_type(handle, Int32(index)) {
        case SQLITE_INTEGER: .integer
        case SQLITE_FLOAT: .real
        case SQLITE_TEXT: .text
        case SQLITE_BLOB: .blob
        default: .null
        }
    }

    package func value(_ index: Int) -> SQLValue {
        switch columnType(index) {
        case .null: .null
        case .integer: .integer(integer(index))
        case .real: .real(real(index))
        case .text: .text(text(index))
        case .blob: .blob(Array(bytes(index)))
        }
    }

    private var sql: String? { sqlite3_sql(handle).map { String(cString: $0) } }

    /// A wrong index is our own mistake. What a `StatementBudget` or a limit refuses is thrown by `step`.
    private func check(_ code: Int32) {
        guard code != SQLITE_OK else { return }
        precondition(
            code == SQLITE_NOMEM || code == SQLITE_TOOBIG,
            "bind: \(String(cString: sqlite3_errstr(code)))")
        bindingError = bindingError ?? connection.error(sql)
    }

    /// SQLite takes a null pointer for NULL, so empty text needs an address.
    nonisolated(unsafe) private static let empty: UnsafePointer<CChar> = {  // Never written again.
        let byte = UnsafeMutablePointer<CChar>.allocate(capacity: 1)
        byte.initialize(to: 0)
        return UnsafePointer(byte)
    }()
}
