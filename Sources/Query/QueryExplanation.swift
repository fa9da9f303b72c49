import Primitives
import SQLite

/// The plan instead of the rows, as JSON whatever the format.
struct QueryExplanation {
    let plan: QueryPlan
    let connection: Connection
    /// Where rows of single buckets would be found.
    let reuse: BucketReuse?

    func answer(_ snapshot: QuerySnapshot) throws(QueryError) -> QueryAnswer {
        do throws(SQLiteError) {
            return try write(snapshot)
        } catch { throw .store(error) }
    }

    private func write(_ snapshot: QuerySnapshot) throws(SQLiteError) -> QueryAnswer {
        let layout = ScanLayout(plan)
        let range = try ScanRange(plan, layout, connection)
        let part = ScanPart(
            plan, layout, range, connection,
            ScanMemory(limitBytes: QueryScan.defaultMemoryLimitBytes))
        let (sql, bindings) = part.statement(range.way)
        let statement = try connection.prepare("EXPLAIN QUERY PLAN " + sql)
        statement.bind(bindings)
        var body = ByteBuffer(capacity: sql.utf8.count + 1024)
        body.append("{\"source\":\"raw\",\"from\":\"")
        body.append(timestamp: plan.from)
        body.append("\",\"to\":")
        body.append(jsonStringOrNull: plan.endOrNil.map(Timestamp.format))
        body.append(",\"sql\":")
        body.append(jsonString: sql)
        body.append(",\"bindings\":")
        body.append(decimal: bindings.count)
        body.append(",\"plan\":[")
        var isFirst = true
        while try statement.step() {
            if !isFirst { body.append(",") }
            isFirst = false
            // Columns: id, parent, unused, detail.
            body.append(jsonString: statement.bytes(3))
        }
        body.append("],\"cache_key\":")
        body.append(jsonString: plan.canonicalKey)
        body.append(",\"generations\":")
        body.append(decimal: snapshot.generation.count)
        if let reuse, let pieces = try BucketPieces(plan, connection) {
            let (kept, all) = BucketWork.count(plan, pieces, reuse)
            body.append(",\"buckets\":{\"kept\":")
            body.append(decimal: kept)
            body.append(",\"computed\":")
            body.append(decimal: all - kept)
            body.append("}")
        }
        body.append("}")
        return QueryAnswer(
            columns: [], rowCount: 0, next: nil, format: .json, body: body.freeze(),
            generation: snapshot.generation, computedAt: snapshot.takenAt)
    }
}
