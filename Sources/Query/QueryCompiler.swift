import Primitives
import SQLite

/// Turns a plan into SQL. Pure: the same plan gives the same text and bindings.
///
///     SELECT keys AS c0 …, metrics AS cN …
///     FROM (SELECT bucket AS b, fields AS f0 … FROM the events of the range LIMIT -1)
///     WHERE conditions on data GROUP BY b, f0 … ORDER BY … LIMIT … OFFSET …
///
/// Each field is read once per event, in the inner query, however often the outer one uses it. The
/// `LIMIT -1` keeps SQLite from merging the two, which would repeat the JSON work at each use (twice
/// the time with four metrics of one field). Conditions on attributes are inside, because they cost
/// nothing there.
struct QueryCompiler {
    /// How sums of integers are computed.
    enum Sums {
        /// By SQLite's `sum`, which fails when the result leaves 64 bits.
        case plain
        /// In two halves that cannot overflow: exact, and where the result leaves 64 bits the real
        /// nearest to it. Three times the work, so it is the second attempt.
        case wide
    }

    let plan: QueryPlan
    var request: QueryRequest { plan.request }
    let sums: Sums
    /// The greatest `seq` that counts.
    let lastSeq: Int64
    /// The start of each bucket that SQL has to know.
    let starts: [Int64]
    private(set) var bindings: [SQLValue] = []
    private var fieldExpressions: [String] = []
    private var fieldNames: [QueryField: String] = [:]

    /// - Parameters:
    ///   - lastSeq: the greatest `seq` that counts.
    ///   - newest: a time that no event is later than; buckets are laid out up to it.
    /// - Throws: `too_many_buckets`; `unsupported_metric` for percentiles, which SQL has no function
    ///   for.
    static func compile(
        _ plan: QueryPlan, lastSeq: Int64, newest: Int64, sums: Sums = .plain
    ) throws(QueryError) -> CompiledQuery {
        guard plan.request.metrics.allSatisfy(\.isSQL) else {
            throw QueryError(
                .unprocessable, code: "unsupported_metric", "SQL computes no percentiles",
                parameter: "metric")
        }
        // Buckets of one width are arithmetic; the others have to be told one by one.
        let isTold = plan.buckets?.interval.followsCalendar == true
        let end = isTold ? min(plan.to, max(newest + 1, plan.filledEnd)) : plan.filledEnd
        let starts = try plan.buckets?.starts(from: plan.from, to: end) ?? []
        var compiler = QueryCompiler(plan: plan, sums: sums, lastSeq: lastSeq, starts: starts)
        let sql = compiler.statement()
        return CompiledQuery(sql: sql, bindings: compiler.bindings)
    }

    private init(plan: QueryPlan, sums: Sums, lastSeq: Int64, starts: [Int64]) {
        self.plan = plan
        self.sums = sums
        self.lastSeq = lastSeq
        self.starts = starts
    }

    private mutating func statement() -> String {
        let rows = rows()
        guard let fill = request.fill else { return rows + page() }
        return filled(rows, fill) + page()
    }

    /// A row a group: unordered, of any number.
    private mutating func rows() -> String {
        let bucket = plan.buckets.map { bucketExpression($0) }
        let keys = (bucket == nil ? [] : ["b"]) + request.groups.map { column($0) }
        let outputs =
            (bucket == nil ? [] : ["b"]) + request.groups.map { named($0) }
            + request.metrics.map { expression($0) }
        let source = eventSource(
            lower: bind(.integer(plan.from)), upper: bind(.integer(plan.to)))
        let bound = "e.seq <= \(bind(.integer(lastSeq)))"
        let inner = ([source.filter, bound] + attributeConditions()).joined(separator: " AND ")
        let outer = dataConditions().joined(separator: " AND ")
        let fields =
            (bucket.map { ["\($0) AS b"] } ?? [])
            + fieldExpressions.enumerated().map { "\($0.element) AS f\($0.offset)" }
        var sql = "SELECT "
        sql += outputs.enumerated().map { "\($0.element) AS c\($0.offset)" }.joined(separator: ", ")
        sql += " FROM (SELECT \(fields.isEmpty ? "1" : fields.joined(separator: ", "))"
        sql += " FROM \(source.tables) WHERE \(inner)"
        sql += fieldNames.keys.contains(where: \.isJSON) ? " LIMIT -1)" : ")"
        if !outer.isEmpty { sql += " WHERE \(outer)" }
        if !keys.isEmpty { sql += " GROUP BY " + keys.joined(separator: ", ") }
        return sql
    }

    /// Order and cut. One row more than the page holds says whether there is another page.
    mutating func page() -> String {
        guard request.keyCount > 0 else { return "" }
        var columns = request.order.map { "c\($0.column)\($0.isDescending ? " DESC" : "")" }
        // Keys behind the asked order break ties, so that pages neither repeat nor skip a row.
        columns += (0..<request.keyCount)
            .filter { key in !request.order.contains { $0.column == key } }.map { "c\($0)" }
        let limit = bind(.integer(Int64(request.limit + 1)))
        let offset = bind(.integer(Int64(plan.offset)))
        return " ORDER BY \(columns.joined(separator: ", ")) LIMIT \(limit) OFFSET \(offset)"
    }

    // MARK: Parts

    /// Adds a binding; the parameter that stands for it.
    mutating func bind(_ value: SQLValue) -> String {
        bindings.append(value)
        return "?\(bindings.count)"
    }

    /// The inner query's column that holds `field`. Types and sources are numbers there.
    mutating func column(_ field: QueryField) -> String {
        if let name = fieldNames[field] { return name }
        let expression: String
        switch field.place {
        case .time: expression = "e.time"
        case .type: expression = "e.type_id"
        case .source: expression = "e.source_id"
        case .subject: expression = "e.subject"
        case .id: expression = QueryCompiler.idExpression
        case .data(let path):
            expression = TypedValue.expression("e.data", path) { bind($0) }
        case .ext(let path):
            expression = TypedValue.expression("e.extensions", path) { bind($0) }
        }
        let name = "f\(fieldExpressions.count)"
        fieldExpressions.append(expression)
        fieldNames[field] = name
        return name
    }

    /// `column(field)` as the client knows it.
    private mutating func named(_ field: QueryField) -> String {
        let column = column(field)
        switch field.place {
        case .type: return "(SELECT name FROM event_types WHERE id = \(column))"
        case .source: return "(SELECT name FROM event_sources WHERE id = \(column))"
        case .time, .subject, .id, .data, .ext: return column
        }
    }

    private mutating func expression(_ metric: QueryMetric) -> String {
        guard case .of(let function, let field) = metric.measure else { return "count(*)" }
        let column = column(field)
        switch function {
        case .uniq: return "count(DISTINCT \(column))"
        case .avg: return mean(column)
        case .sum: return sum(column)
        case .min, .max:
            guard field.isJSON else { return "\(function.rawValue)(\(named(field)))" }
            // Numbers count where there are any; booleans, objects and arrays have no order.
            let best = "\(function.rawValue)(\(column)) FILTER (WHERE \(column)"
            return "coalesce(\(best) < ''), \(best) >= '' AND \(column) < x''))"
        case .p50, .p90, .p95, .p99: preconditionFailure("refused in compile")
        }
    }

    /// Where the sum is beyond the doubles, that of parts of the numbers is not.
    private func mean(_ column: String) -> String {
        let numbers = "FILTER (WHERE \(column) < '')"
        let mean = "avg(\(column)) \(numbers)"
        return "CASE WHEN abs(\(mean)) <= 1.7976931348623157e308 THEN \(mean) "
            + "ELSE avg(\(column) * 5.421010862427522e-20) \(numbers) * 18446744073709551616.0 END"
    }

    private func sum(_ column: String) -> String {
        let numbers = "FILTER (WHERE \(column) < '')"
        guard sums == .wide else { return "sum(\(column)) \(numbers)" }
        let integers = "FILTER (WHERE typeof(\(column)) = 'integer')"
        let lowSum = "sum(\(column) & 4294967295) \(integers)"
        // The sum's halves: the lower one is below 2^32, so the upper one tells whether it fits.
        let upper = "(sum(\(column) >> 32) \(integers) + (\(lowSum) >> 32))"
        let lower = "(\(lowSum) & 4294967295)"
        return "CASE WHEN count(*) FILTER (WHERE typeof(\(column)) = 'real') > 0"
            + " THEN total(\(column)) \(numbers)"
            + " WHEN \(upper) BETWEEN -2147483648 AND 2147483647 THEN (\(upper) << 32) + \(lower)"
            + " ELSE \(upper) * 4294967296.0 + \(lower) END"
    }

    /// An id that the service gave is not stored: it is the key, written as a UUID.
    static let idExpression =
        "coalesce(e.id, lower("
        + [(1, 8), (9, 4), (13, 4), (17, 4), (21, 12)]
        .map { "substr(hex(e.key), \($0.0), \($0.1))" }.joined(separator: " || '-' || ") + "))"
}

extension QueryMetric {
    /// SQLite has a function for it.
    var isSQL: Bool {
        guard case .of(let function, _) = measure else { return true }
        return function.percent == nil
    }
}
