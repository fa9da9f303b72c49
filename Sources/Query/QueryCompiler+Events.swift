import SQLite

/// Which events: tables, range, types and conditions.
extension QueryCompiler {
    /// Tables with the events as `e`, and what cuts them to `[lower, upper)` and the asked types.
    ///
    /// With one type the generations lead: they say in which minutes there are events of that type,
    /// so that a rare type costs a few seeks and not the whole range (0.7 against 69 ms for 98 of
    /// 1,000,000 events), and a common one no more than before. With several, each type would read
    /// the index again, so the types are looked up beside the range instead.
    mutating func eventSource(lower: String, upper: String) -> (tables: String, filter: String) {
        let names = request.types.map { bind(.text($0)) }
        return QueryCompiler.eventSource(lower: lower, upper: upper, types: names)
    }

    /// - Parameters: parameters or expressions that stand for the range and for the types' names.
    static func eventSource(
        lower: String, upper: String, types names: [String]
    ) -> (tables: String, filter: String) {
        let types = "(SELECT id FROM event_types WHERE name IN (\(names.joined(separator: ", "))))"
        guard names.count == 1 else {
            let range = "e.time >= \(lower) AND e.time < \(upper)"
            let filter = names.isEmpty ? range : "\(range) AND e.type_id IN \(types)"
            return ("event_rows AS e", filter)
        }
        // Division rounds towards zero, so a minute is added below for times before 1970.
        let filter =
            "g.type_id IN \(types) AND g.minute >= \(lower) / 60000 - 1"
            + " AND g.minute <= \(upper) / 60000 AND e.type_id = g.type_id"
            + " AND e.time >= max(g.minute * 60000, \(lower))"
            + " AND e.time < min((g.minute + 1) * 60000, \(upper))"
        return ("generations AS g CROSS JOIN event_rows AS e", filter)
    }

    /// Conditions that need no JSON.
    mutating func attributeConditions() -> [String] {
        plan.conditions.filter { !$0.field.isJSON }.map { condition in
            switch condition.field.place {
            case .time: test("e.time", condition)
            case .subject: test("e.subject", condition)
            case .id: test(QueryCompiler.idExpression, condition)
            case .type:
                "e.type_id IN (SELECT id FROM event_types WHERE \(test("name", condition)))"
            case .source:
                "e.source_id IN (SELECT id FROM event_sources WHERE \(test("name", condition)))"
            case .data, .ext: preconditionFailure("filtered out above")
            }
        }
    }

    mutating func dataConditions() -> [String] {
        plan.conditions.filter(\.field.isJSON).map { test(column($0.field), $0) }
    }

    /// SQL that is true for values of `column` that meet `condition`.
    private mutating func test(_ column: String, _ condition: QueryCondition) -> String {
        switch condition.operation {
        case .exists: return "\(column) IS \(condition.matchesNull ? "" : "NOT ")NULL"
        case .eq, .in: return equality(column, condition)
        // The exact opposite, so that a missing value is not equal either.
        case .ne: return "NOT coalesce(\(equality(column, condition)), 0)"
        case .lt, .le, .gt, .ge: return ordering(column, condition)
        case .prefix:
            let text = operand(condition)
            return "(typeof(\(column)) = 'text'"
                + " AND substr(\(column), 1, length(\(text))) = \(text))"
        case .contains:
            return "(typeof(\(column)) = 'text' AND instr(\(column), \(operand(condition))) > 0)"
        }
    }

    private mutating func equality(_ column: String, _ condition: QueryCondition) -> String {
        let operands = condition.operands.map { bind($0) }.joined(separator: ", ")
        let isEqual = "\(column) IN (\(operands))"
        return condition.matchesNull ? "(\(isEqual) OR \(column) IS NULL)" : isEqual
    }

    /// Numbers are ordered among numbers and text among text; the second comparison keeps out the
    /// other types, which SQLite would put before or behind.
    private mutating func ordering(_ column: String, _ condition: QueryCondition) -> String {
        let sign: String
        switch condition.operation {
        case .lt: sign = "<"
        case .le: sign = "<="
        case .gt: sign = ">"
        default: sign = ">="
        }
        let comparison = "\(column) \(sign) \(operand(condition))"
        guard condition.field.isJSON else { return comparison }
        let isText = if case .text = condition.operands.first { true } else { false }
        let guarding = isText ? "\(column) >= '' AND \(column) < x''" : "\(column) < ''"
        return "(\(comparison) AND \(guarding))"
    }

    private mutating func operand(_ condition: QueryCondition) -> String {
        bind(condition.operands.first ?? .null)
    }
}
