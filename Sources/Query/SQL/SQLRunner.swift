import Primitives
import SQLite
import Storage

/// Runs one statement in a sandbox and writes its rows.
package struct SQLRunner: Sendable {
    private let pool: SandboxPool

    package init(_ pool: SandboxPool) { self.pool = pool }

    /// Any thread that may block.
    /// - Parameters:
    ///   - now: milliseconds since 1970; what `:now` is.
    ///   - isCancelled: asked now and then; true ends the statement.
    /// - Throws: 400s of the statement and its values; `query_timeout`; what kept the store from
    ///   answering.
    package func answer(
        _ question: SQLQuestion, now: Int64 = WallClock.nowMilliseconds(), deadline: Deadline,
        isCancelled: (@Sendable () -> Bool)? = nil
    ) throws(QueryError) -> QueryAnswer {
        guard !deadline.hasPassed else { throw .late() }
        return try pool.withSandbox(until: deadline, isCancelled: isCancelled) {
            sandbox throws(QueryError) in
            let statement = try sandbox.prepare(question.sql, logs: question.logs)
            defer { statement.reset() }
            try SQLRunner.bind(question, now, to: statement)
            return try SQLRunner.rows(statement, question)
        }
    }

    private static func bind(
        _ question: SQLQuestion, _ now: Int64, to statement: Statement
    ) throws(QueryError) {
        var unused = Set(question.values.keys)
        let count = statement.parameterCount
        for index in 1..<(count + 1) {
            guard let marked = statement.parameterName(index), marked.first != "?" else {
                throw .sql("parameters must have names, such as :days", code: "invalid_sql")
            }
            let name = String(marked.dropFirst())
            if let value = question.values[name] {
                statement.bind(index, value)
                unused.remove(name)
            } else if name == SQLQuestion.present {
                statement.bind(index, now)
            } else {
                throw .missing("p.\(name)", "the statement needs a value for \(marked)")
            }
        }
        if let name = unused.min() {
            throw .unknown("p.\(name)", "those that the statement names")
        }
    }

    private static func rows(
        _ statement: Statement, _ question: SQLQuestion
    ) throws(QueryError) -> QueryAnswer {
        let columns = (0..<statement.columnCount).map {
            QueryColumn(name: statement.columnName($0), type: nil)
        }
        let isNamed = question.format == .ndjson || question.shape == .objects
        guard !isNamed || Set(columns.map { ExactText($0.name) }).count == columns.count else {
            throw .sql(
                "two columns have one name; objects need different ones (AS)", code: "invalid_sql")
        }
        var encoder = RowEncoder(columns, question.format, question.shape)
        var isCut = false
        do throws(SQLiteError) {
            while try statement.step() {
                if encoder.rowCount == question.rowLimit || encoder.isFull {
                    isCut = true
                    break
                }
                for column in columns.indices {
                    SQLRunner.append(statement, column, to: &encoder)
                    guard encoder.byteCount <= 2 * RowEncoder.limitBytes else {
                        throw SQLiteError(code: tooBig, message: "a row is too large")
                    }
                }
            }
        } catch { throw .sql(error) }
        let snapshot = QuerySnapshot(
            generation: GenerationState(), lastSeq: 0, takenAt: WallClock.nowMilliseconds())
        return encoder.finish(question.format, next: nil, isCut: isCut, from: snapshot)
    }

    /// SQLITE_TOOBIG.
    private static let tooBig: Int32 = 18

    /// Text is repaired where it is no UTF-8, and a blob is written in base64.
    private static func append(
        _ statement: Statement, _ column: Int, to encoder: inout RowEncoder
    ) {
        switch statement.columnType(column) {
        case .null: encoder.append(.null)
        case .integer: encoder.append(.integer(statement.integer(column)))
        case .real: encoder.append(.real(statement.real(column)))
        case .text:
            let bytes = statement.bytes(column)
            if String(validating: bytes, as: UTF8.self) != nil {
                encoder.append(.text(bytes))
            } else {
                append(String(decoding: bytes, as: UTF8.self), to: &encoder)
            }
        case .blob:
            var digits = ByteBuffer()
            digits.append(base64: statement.bytes(column))
            append(digits.text, to: &encoder)
        }
    }

    private static func append(_ text: String, to encoder: inout RowEncoder) {
        var text = text
        text.withUTF8 { encoder.append(.text(UnsafeRawBufferPointer($0))) }
    }
}
