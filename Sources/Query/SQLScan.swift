import Primitives
import SQLite

/// Answers a plan by one SQL statement: slow where there is JSON in it, but it sorts on disk what does
/// not fit in memory. Tests take it for their oracle.
struct SQLScan {
    let plan: QueryPlan
    let connection: Connection

    /// Writes the page that is asked for.
    /// - Returns: whether there are more rows.
    /// - Throws: `too_many_buckets`, `unsupported_metric` for percentiles, what SQLite says.
    func run(_ encoder: inout RowEncoder, _ snapshot: QuerySnapshot) throws(QueryError) -> Bool {
        let plain = try compiled(snapshot)
        do throws(SQLiteError) {
            return try rows(plain, &encoder)
        } catch {
            guard error.message == "integer overflow" else { throw .store(error) }
        }
        encoder = RowEncoder(plan.request)
        let wide = try compiled(snapshot, sums: .wide)
        do throws(SQLiteError) { return try rows(wide, &encoder) } catch { throw .store(error) }
    }

    /// The statement with its bindings.
    func compiled(
        _ snapshot: QuerySnapshot, sums: QueryCompiler.Sums = .plain
    ) throws(QueryError) -> CompiledQuery {
        let newest: Int64?
        do throws(SQLiteError) {
            newest = try connection.integer("SELECT max(time) FROM event_rows")
        } catch { throw .store(error) }
        return try QueryCompiler.compile(
            plan, lastSeq: snapshot.lastSeq, newest: newest ?? plan.from, sums: sums)
    }

    private func rows(
        _ compiled: CompiledQuery, _ encoder: inout RowEncoder
    ) throws(SQLiteError) -> Bool {
        let statement = try connection.cached(compiled.sql)
        // An unfinished statement would keep its snapshot and hold up the checkpoints.
        defer { statement.reset() }
        statement.bind(compiled.bindings)
        while try statement.step() {
            if encoder.rowCount == plan.request.limit || encoder.isFull { return true }
            for column in plan.request.columns.indices {
                encoder.append(QueryValue(statement, column))
            }
        }
        return false
    }
}
