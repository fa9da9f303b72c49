import Primitives

extension QueryRequest {
    static let groupLimit = 4
    static let typeLimit = 100
    static let typeLimitBytes = 255
    static let rowLimit = 10_000
    /// A year and a day: more staleness than anything can have.
    private static let staleLimitSeconds = 366 * 86400

    /// Reads decoded parameters. Cheap: O(n) in their bytes.
    /// - Parameter format: what is written unless `format=` says otherwise.
    package static func parse(
        _ given: [Parameter], format: QueryFormat = .json
    ) throws(QueryError) -> QueryRequest {
        let parameters = try QueryParameters(given)
        var request = try subject(parameters)
        request.order = try order(parameters, request)
        request.limit = try parameters.integer("limit", in: 1...rowLimit) ?? request.limit
        request.cacheMode = try parameters.choice("cache")
        request.maxStaleSeconds = try parameters.integer("max_stale", in: 0...staleLimitSeconds)
        request.explain = try parameters.integer("explain", in: 0...1) == 1
        request.format = try parameters.choice("format") ?? format
        request.shape = try parameters.choice("shape") ?? .rows
        if let text = parameters["cursor"] {
            let cursor = try QueryCursor(text)
            guard cursor.fingerprint == request.fingerprint else { throw QueryCursor.foreign }
            request.cursor = cursor
        }
        return request
    }

    /// What is asked, but not how the answer is ordered, cut and written.
    private static func subject(_ parameters: QueryParameters) throws(QueryError) -> QueryRequest {
        let metrics = try metrics(parameters)
        let interval: QueryInterval? = try parameters.choice("interval")
        let fill: QueryFill? = try parameters.choice("fill")
        if fill != nil, interval == nil { throw .invalid("fill", "needs interval") }
        var request = QueryRequest(
            metrics: metrics, types: try types(parameters), from: try moment("from", parameters),
            to: try moment("to", parameters), interval: interval, zone: try zone(parameters),
            groups: try groups(parameters), conditions: try conditions(parameters), fill: fill)
        let rollups: QueryRollups? = try parameters.choice("rollup")
        request.usesRollups = rollups != .off
        let names = request.columnNames
        guard Set(names.map { ExactText($0) }).count == names.count else {
            throw .invalid(
                "group_by", "must not give two columns the same name (interval adds time)")
        }
        return request
    }

    private static func metrics(_ parameters: QueryParameters) throws(QueryError) -> [QueryMetric] {
        guard parameters["metric"] != nil else {
            throw QueryError(
                .badRequest, code: "missing_parameter", "metric is required, such as metric=count",
                parameter: "metric")
        }
        return try parameters.fieldList("metric", limit: QueryMetric.limit)
            .map { text throws(QueryError) in try QueryMetric.parse(text) }
    }

    private static func groups(_ parameters: QueryParameters) throws(QueryError) -> [QueryField] {
        try parameters.fieldList("group_by", limit: groupLimit)
            .map { text throws(QueryError) in try QueryField.parse(text, for: "group_by") }
    }

    private static func types(_ parameters: QueryParameters) throws(QueryError) -> [String] {
        let types = try parameters.list("event", limit: typeLimit)
        guard types.allSatisfy({ $0.utf8.count <= typeLimitBytes && !$0.utf8.contains(0) }) else {
            throw .invalid("event", "must list types of at most \(typeLimitBytes) bytes")
        }
        return types
    }

    private static func moment(
        _ name: String, _ parameters: QueryParameters
    ) throws(QueryError) -> QueryMoment? {
        guard let text = parameters[name] else { return nil }
        guard let moment = QueryMoment(text) else { throw .invalid(name, QueryMoment.rule) }
        return moment
    }

    private static func zone(_ parameters: QueryParameters) throws(QueryError) -> String {
        guard let name = parameters["tz"] else { return TimeZoneRules.utc.name }
        guard TimeZoneFile.isName(name) else { throw QueryPlan.unknownZone }
        return name
    }

    private static func conditions(_ parameters: QueryParameters) throws(QueryError)
        -> [QueryCondition]
    {
        guard parameters.conditions.count <= QueryCondition.limit else {
            throw .invalid("where", "must be given at most \(QueryCondition.limit) times")
        }
        return try parameters.conditions
            .map { parameter throws(QueryError) in try QueryCondition.parse(parameter.elements) }
    }

    private static func order(_ parameters: QueryParameters, _ request: QueryRequest)
        throws(QueryError) -> [QueryOrder]
    {
        let names = request.columnNames.map { ExactText($0) }
        return try parameters.fieldList("order", limit: names.count)
            .map { text throws(QueryError) in
                // A column whose own name starts with a minus is meant before a descending one.
                if let column = names.firstIndex(of: ExactText(text)) {
                    return QueryOrder(column: column, isDescending: false)
                }
                let rest = Substring(text.utf8.dropFirst())
                guard text.utf8.first == UInt8(ascii: "-"),
                    let column = names.firstIndex(of: ExactText(rest))
                else {
                    throw .invalid(
                        "order", "must list columns of the answer, - in front for descending")
                }
                return QueryOrder(column: column, isDescending: true)
            }
    }
}
