import Primitives

/// A rollup as it is declared: of which events, in which buckets of time, by which fields what is
/// kept.
///
///     rollups:
///       - name: pages
///         event: page_view
///         interval: 1h
///         group_by: [country, path]
///         metrics: [count, avg:ms, p95:ms]
package struct Rollup: Sendable, Equatable {
    package let name: String
    /// Event types; empty means all.
    package let types: [String]
    package let interval: QueryInterval
    package let groups: [QueryField]
    package let metrics: [QueryMetric]
    /// Rows of one bucket at most; other groups share one row.
    package let maxGroups: Int

    package static let defaultMaxGroups = 10_000
    package static let groupLimit = 8
    /// Buckets of days are those of UTC.
    package static let intervals: [QueryInterval] = QueryInterval.allCases.filter {
        $0 != .week && $0 != .month
    }

    package init(
        name: String, types: [String], interval: QueryInterval, groups: [QueryField],
        metrics: [QueryMetric], maxGroups: Int = defaultMaxGroups
    ) {
        self.name = name
        self.types = types
        self.interval = interval
        self.groups = groups
        self.metrics = metrics
        self.maxGroups = maxGroups
    }

    var widthMilliseconds: Int64 { interval.widthMilliseconds }

    /// The form of keys and states; changed with it, so that a rollup of an older one is made anew.
    private static let form = 1

    /// Equal fingerprints keep the same rows. The order of what is declared is part of it.
    var fingerprint: Int64 {
        var text = ByteBuffer(capacity: 256)
        text.append(decimal: Self.form)
        for list in [
            types, [interval.rawValue], groups.map { "\($0.place)" },
            feeds.map { "\($0.function.family) \($0.field.place)" }, ["\(maxGroups)"],
        ] {
            text.append("\n")
            for value in list {
                text.append(jsonString: value)
                text.append(" ")
            }
        }
        let key = Key128(high: 0x6D69_6C6C_7261_6365, low: 0x2F72_6F6C_6C75_7031)
        return Int64(bitPattern: Key128(hashing: text.span, key: key).low)
    }

    /// What accumulators take, each once: a mean and a sum are read from one.
    var feeds: [RollupFeed] {
        var feeds: [RollupFeed] = []
        for metric in metrics {
            guard case .of(let function, let field) = metric.measure else { continue }
            let feed = RollupFeed(function: function, field: field)
            if !feeds.contains(where: { $0.serves(function, field) }) { feeds.append(feed) }
        }
        return feeds
    }
}

/// One accumulator of a rollup.
struct RollupFeed: Sendable {
    let function: QueryMetric.Function
    let field: QueryField

    func serves(_ function: QueryMetric.Function, _ field: QueryField) -> Bool {
        self.function.family == function.family && self.field.place == field.place
    }
}

/// Reading declarations.
extension Rollup {
    /// Fields by which a rollup may group.
    /// - Throws: `invalid_parameter`, with a rule that follows the name of the setting.
    package static func groups(_ texts: [String]) throws(QueryError) -> [QueryField] {
        let texts = QueryText.joinQuoted(texts)
        guard texts.count <= groupLimit else {
            throw .invalid("group_by", "must name at most \(groupLimit) fields")
        }
        let fields = try texts.map { text throws(QueryError) in
            try QueryField.parse(text, for: "group_by")
        }
        guard Set(fields.map(\.place)).count == fields.count else {
            throw .invalid("group_by", "must not name the same field twice")
        }
        guard fields.allSatisfy({ $0.place != .id && $0.place != .time }) else {
            throw .invalid("group_by", "must not name id or time, which every event has for itself")
        }
        return fields
    }

    /// What a rollup keeps.
    /// - Throws: `invalid_parameter`, with a rule that follows the name of the setting.
    package static func metrics(_ texts: [String]) throws(QueryError) -> [QueryMetric] {
        let texts = QueryText.joinQuoted(texts)
        guard (1...QueryMetric.limit).contains(texts.count) else {
            throw .invalid("metrics", "must list 1 to \(QueryMetric.limit) metrics")
        }
        return try texts.map { text throws(QueryError) in
            let metric = try QueryMetric.parse(text)
            guard case .of(_, let field) = metric.measure else { return metric }
            switch field.place {
            case .time, .subject, .data, .ext: return metric
            case .type, .source, .id:
                throw .invalid(
                    "metrics", "must be of time, subject, data or an extension in a rollup")
            }
        }
    }
}
