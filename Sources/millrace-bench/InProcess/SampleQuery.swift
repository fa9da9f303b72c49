import Primitives

/// A question to the sample store whose answer is known: counted from `SampleRow`, not from a store.
struct SampleQuery {
    let name: String
    /// Decoded parameters. The last metric is the count.
    let parameters: [(name: String, value: String)]
    /// The sum of all counts in the answer.
    let count: Int

    private static let countries = SampleEvents.countryCount

    static let all: [SampleQuery] = [
        SampleQuery("count of all", [("metric", "count")], share: 1) { _ in true },
        SampleQuery("count, 1 % of time", [("metric", "count")], share: 0.01) { _ in true },
        SampleQuery(
            "by country, 1 %", [("metric", "avg:ms,count"), ("group_by", "country")], share: 0.01
        ) { _ in true },
        SampleQuery(
            "one country, 10 %", [("metric", "count"), ("where", "country:eq:DE")], share: 0.1
        ) { $0 % countries == 0 },
        SampleQuery(
            "hourly sign-ups", [("metric", "count"), ("event", "signup"), ("interval", "1h")],
            share: 1, matches: SampleRow.isSignUp),
    ]

    /// - Parameters:
    ///   - share: how much of the store's time it asks about, from the middle on.
    ///   - matches: whether row number so and so counts.
    private init(
        _ name: String, _ parameters: [(name: String, value: String)], share: Double,
        matches: (Int) -> Bool
    ) {
        let rows = Int(Double(SampleStore.rowCount) * share)
        let first = (SampleStore.rowCount - rows) / 2
        self.name = name
        self.parameters =
            parameters + [
                ("from", Timestamp.format(SampleRow.time(first))),
                ("to", Timestamp.format(SampleRow.time(first + rows))),
                ("cache", "bypass"),
            ]
        count = (first..<first + rows).count(where: matches)
    }

    /// As a request's target.
    var target: String {
        "/query?"
            + parameters.map { "\($0.name)=\($0.value.replacing(" ", with: "+"))" }
            .joined(separator: "&")
    }

    /// - Throws: if the answer's counts do not add up to what is known.
    func check(_ body: UnsafeRawBufferPointer) throws(BenchFailure) {
        try SampleQuery.check(name, body, count: count)
    }

    /// - Throws: if the last column of an answer does not add up to `count`.
    static func check(
        _ name: String, _ body: UnsafeRawBufferPointer, count: Int
    ) throws(BenchFailure) {
        let answer = try attempt(name) { () throws(JSONError) in try JSONValue.parse(body) }
        let rows = answer["rows"]?.elements ?? []
        let counted = rows.reduce(Int64(0)) { sum, row in
            if case .integer(let count)? = row.elements?.last { sum + count } else { sum }
        }
        guard counted == Int64(count) else {
            throw BenchFailure("\(name): counted \(counted) instead of \(count)")
        }
    }
}
