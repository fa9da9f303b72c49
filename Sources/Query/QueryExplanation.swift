import Primitives
import SQLite

/// The plan instead of the rows, as JSON whatever the format.
struct QueryExplanation {
    let plan: QueryPlan
    let connection: Connection
    let choice: RollupChoice
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
            ScanBounds(limitBytes: QueryScan.defaultMemoryLimitBytes))
        let rollup = choice.plan.flatMap { $0.objection == nil ? $0 : nil }
        let (sql, bindings) =
            rollup.map {
                (
                    RollupScan.sql,
                    [$0.record.id, $0.whole.lowerBound, $0.whole.upperBound].map(SQLValue.integer)
                )
            } ?? part.statement(range.way)
        let statement = try connection.prepare("EXPLAIN QUERY PLAN " + sql)
        statement.bind(bindings)
        var body = ByteBuffer(capacity: sql.utf8.count + 1024)
        body.append(rollup == nil ? "{\"source\":\"raw\"" : "{\"source\":\"rollup\"")
        body.append(choice: choice)
        body.append(",\"from\":\"")
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

extension ByteBuffer {
    /// Which rollup is used and for what, and of each other one why it is not.
    fileprivate mutating func append(choice: RollupChoice) {
        if let plan = choice.plan { append(rollup: plan) }
        append(",\"rollups\":[")
        for (index, verdict) in choice.verdicts.enumerated() {
            append(index == 0 ? "{\"name\":" : ",{\"name\":")
            append(jsonString: verdict.name)
            append(verdict.reason == nil ? ",\"used\":true" : ",\"used\":false")
            append(",\"reason\":")
            append(jsonStringOrNull: verdict.reason)
            append("}")
        }
        append("]")
    }

    private mutating func append(rollup plan: RollupPlan) {
        append(",\"rollup\":{\"name\":")
        append(jsonString: plan.name)
        append(",\"interval\":")
        append(jsonString: plan.cover.rollup.interval.rawValue)
        append(",\"left_out\":")
        append(decimal: plan.leftOut.count)
        append(plan.cover.sketched.isEmpty ? ",\"approximate\":false" : ",\"approximate\":true")
        append(",\"raw\":[")
        for (index, range) in plan.raw.enumerated() {
            append(index == 0 ? "{\"from\":\"" : ",{\"from\":\"")
            append(timestamp: range.lowerBound)
            append("\",\"to\":")
            let isOpen = range.upperBound == QueryPlan.openEnd
            append(jsonStringOrNull: isOpen ? nil : Timestamp.format(range.upperBound))
            append("}")
        }
        append("]}")
    }
}
