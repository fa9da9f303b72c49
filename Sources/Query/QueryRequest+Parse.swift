import Primitives

extension QueryRequest {
    static let groupLimit = 4
    static let typeLimit = 100
    static let typeLimitBytes = 255
    static let rowLimit = 10_000
    private static let defaultRows = 1000
    private static let defaultRangeMilliseconds: Int64 = 86_400_000
    /// A year and a day: more staleness than anything can have.
    private static let staleLimitSeconds = 366 * 86400

    /// Reads decoded parameters.
    /// - Parameters:
    ///   - now: milliseconds since 1970; relative times count from it. A cursor carries the `now`
    ///     of its first page, so that all pages cut the same range.
    ///   - format: what is written unless `format=` says otherwise.
    package static func parse(
        _ pairs: [(name: String, value: String)], now: Int64, format: QueryFormat = .json
    ) throws(QueryError) -> QueryRequest {
        let parameters = try QueryParameters(pairs)
        let cursor = try parameters["cursor"].map { text throws(QueryError) in
            try QueryCursor(text)
        }
        var request = try subject(parameters, now: cursor?.now ?? now)
        request.order = try order(parameters, request)
        request.limit = try parameters.integer("limit", in: 1...rowLimit) ?? defaultRows
        request.cacheMode = try parameters.choice("cache")
        request.maxStaleSeconds = try parameters.integer("max_stale", in: 0...staleLimitSeconds)
        request.explain = try parameters.integer("explain", in: 0...1) == 1
        request.format = try parameters.choice("format") ?? format
        request.shape = try parameters.choice("shape") ?? .rows
        if let cursor {
            guard cursor.fingerprint == request.fingerprint else { throw QueryCursor.foreign }
            request.offset = cursor.offset
        }
        // Last, because it is the only thing here that may take milliseconds.
        request.buckets = try request.interval.map { interval throws(QueryError) in
            try QueryBuckets(
                from: request.from, to: request.to, interval: interval, zone: request.zone)
        }
        return request
    }

    /// What is asked, without buckets, and how the answer is ordered, cut and written.
    private static func subject(_ parameters: QueryParameters, now: Int64) throws(QueryError)
        -> QueryRequest
    {
        let metrics = try metrics(parameters)
        let range = try range(parameters, now: now)
        let interval: QueryInterval? = try parameters.choice("interval")
        let zone = try zone(parameters)
        let fill: QueryFill? = try parameters.choice("fill")
        if fill != nil, interval == nil { throw .invalid("fill", "needs interval") }
        let request = QueryRequest(
            metrics: metrics, types: try types(parameters), from: range.from, to: range.to,
            interval: interval, zone: zone, buckets: nil, groups: try groups(parameters),
            conditions: try conditions(parameters, now: now), order: [], limit: defaultRows,
            offset: 0, fill: fill, cacheMode: nil, maxStaleSeconds: nil, explain: false,
            format: .json, shape: .rows, now: now)
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
        return try parameters.list("metric", limit: QueryMetric.limit)
            .map { text throws(QueryError) in try QueryMetric.parse(text) }
    }

    private static func groups(_ parameters: QueryParameters) throws(QueryError) -> [QueryField] {
        try parameters.list("group_by", limit: groupLimit)
            .map { text throws(QueryError) in try QueryField.parse(text, for: "group_by") }
    }

    private static func types(_ parameters: QueryParameters) throws(QueryError) -> [String] {
        let types = try parameters.list("event", limit: typeLimit)
        guard types.allSatisfy({ $0.utf8.count <= typeLimitBytes && !$0.utf8.contains(0) }) else {
            throw .invalid("event", "must list types of at most \(typeLimitBytes) bytes")
        }
        return types.map(String.init)
    }

    private static func range(_ parameters: QueryParameters, now: Int64) throws(QueryError)
        -> (from: Int64, to: Int64)
    {
        func moment(_ name: String) throws(QueryError) -> Int64? {
            guard let text = parameters[name] else { return nil }
            guard let moment = QueryTime.parse(text, now: now) else {
                throw .invalid(name, QueryTime.rule)
            }
            return moment
        }
        let to = try moment("to") ?? now
        let from = try moment("from") ?? to - defaultRangeMilliseconds
        guard from < to else {
            throw .invalid("from", "must be before to (by default the present moment)")
        }
        return (from, to)
    }

    private static func zone(_ parameters: QueryParameters) throws(QueryError) -> TimeZoneRules {
        guard let name = parameters["tz"] else { return .utc }
        guard let rules = TimeZoneFile.rules(named: name) else {
            throw .invalid("tz", "must be an IANA time zone such as Europe/Berlin")
        }
        return rules
    }

    private static func conditions(_ parameters: QueryParameters, now: Int64) throws(QueryError)
        -> [QueryCondition]
    {
        guard parameters.conditions.count <= QueryCondition.limit else {
            throw .invalid("where", "must be given at most \(QueryCondition.limit) times")
        }
        return try parameters.conditions
            .map { text throws(QueryError) in try QueryCondition.parse(text, now: now) }
    }

    private static func order(_ parameters: QueryParameters, _ request: QueryRequest)
        throws(QueryError) -> [QueryOrder]
    {
        let names = request.columnNames.map { ExactText($0) }
        return try parameters.list("order", limit: names.count)
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
