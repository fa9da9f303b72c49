import Primitives

/// The parameters of one request, each known and, unless it may repeat, there at most once.
struct QueryParameters {
    private static let known: Set<String> = [
        "metric", "event", "from", "to", "interval", "tz", "group_by", "where", "order", "limit",
        "cursor", "fill", "cache", "max_stale", "explain", "format", "shape",
    ]
    private static let repeatable = "where"
    /// Far above what any honest value needs; `event` may list 100 names of 255 bytes.
    private static let valueLimitBytes = 32 << 10

    private var values: [String: String] = [:]
    private(set) var conditions: [String] = []

    init(_ pairs: [(name: String, value: String)]) throws(QueryError) {
        for (name, value) in pairs {
            guard Self.known.contains(name) else { throw Self.unknown(name) }
            guard value.utf8.count <= Self.valueLimitBytes else {
                throw .invalid(name, "must be at most \(Self.valueLimitBytes) bytes long")
            }
            if name == Self.repeatable {
                conditions.append(value)
                continue
            }
            guard values.updateValue(value, forKey: name) == nil else {
                throw QueryError(
                    .badRequest, code: "repeated_parameter", "\(name) must be given once",
                    parameter: name)
            }
        }
    }

    subscript(name: String) -> String? { values[name] }

    /// The elements of a comma list; empty if the parameter is not there.
    func list(_ name: String, limit: Int) throws(QueryError) -> [Substring] {
        guard let value = values[name] else { return [] }
        let elements = value.parts(by: ",")
        guard elements.count <= limit, !elements.contains(where: \.isEmpty) else {
            throw .invalid(name, "must be a comma list of 1 to \(limit) elements, none empty")
        }
        guard Set(elements.map { ExactText($0) }).count == elements.count else {
            throw .invalid(name, "must not name the same thing twice")
        }
        return elements
    }

    /// One of the values of `Choice`; nil if the parameter is not there.
    func choice<Choice>(_ name: String, _: Choice.Type = Choice.self) throws(QueryError) -> Choice?
    where Choice: RawRepresentable & CaseIterable, Choice.RawValue == String {
        guard let value = values[name] else { return nil }
        guard let choice = Choice(rawValue: value) else {
            let choices = Choice.allCases.map(\.rawValue).joined(separator: " ")
            throw .invalid(name, "must be one of: \(choices)")
        }
        return choice
    }

    /// A whole number in `range`; nil if the parameter is not there.
    func integer(_ name: String, in range: ClosedRange<Int>) throws(QueryError) -> Int? {
        guard let value = values[name] else { return nil }
        guard value.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(value),
            range.contains(number)
        else {
            throw .invalid(
                name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private static func unknown(_ name: String) -> QueryError {
        let offered = known.sorted().joined(separator: " ")
        return QueryError(
            .badRequest, code: "unknown_parameter",
            "\(ParameterName.shown(name)) is no parameter; there are: \(offered)",
            parameter: ParameterName.shown(name))
    }
}
