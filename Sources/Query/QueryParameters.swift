import Primitives

/// The parameters of one request, each known and, unless it takes a list, there at most once.
struct QueryParameters {
    private static let known: Set<String> = [
        "metric", "event", "from", "to", "interval", "tz", "group_by", "where", "order", "limit",
        "cursor", "fill", "cache", "max_stale", "explain", "format", "shape", "rollup",
    ]
    /// A list may be given in several parts.
    private static let lists: Set<String> = ["metric", "event", "group_by", "order", "where"]
    /// Far above what any honest value needs; `event` may list 100 names of 255 bytes.
    private static let valueLimitBytes = 32 << 10

    private var values: [String: Parameter] = [:]
    private(set) var conditions: [Parameter] = []

    init(_ parameters: [Parameter]) throws(QueryError) {
        for parameter in parameters {
            let name = parameter.name
            guard Self.known.contains(name) else { throw Self.unknown(name) }
            guard parameter.value.utf8.count <= Self.valueLimitBytes else {
                throw .invalid(name, "must be at most \(Self.valueLimitBytes) bytes long")
            }
            if name == "where" {
                conditions.append(parameter)
            } else if values[name] == nil {
                values[name] = parameter
            } else if Self.lists.contains(name) {
                values[name]?.append(parameter)
            } else {
                throw QueryError(
                    .badRequest, code: "repeated_parameter", "\(name) must be given once",
                    parameter: name)
            }
        }
    }

    subscript(name: String) -> String? { values[name]?.value }

    /// The elements of a list; empty if the parameter is not there.
    func list(_ name: String, limit: Int) throws(QueryError) -> [String] {
        try check(values[name]?.elements ?? [], name, limit)
    }

    /// The same for names of fields, in which a comma between quotation marks ends no element.
    func fieldList(_ name: String, limit: Int) throws(QueryError) -> [String] {
        try check(QueryText.joinQuoted(values[name]?.elements ?? []), name, limit)
    }

    private func check(
        _ elements: [String], _ name: String, _ limit: Int
    ) throws(QueryError) -> [String] {
        guard values[name] != nil else { return [] }
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
        guard let value = self[name] else { return nil }
        guard let choice = Choice(rawValue: value) else {
            let choices = Choice.allCases.map(\.rawValue).joined(separator: " ")
            throw .invalid(name, "must be one of: \(choices)")
        }
        return choice
    }

    /// A whole number in `range`; nil if the parameter is not there. `320.0` is one (JSON Schema
    /// 2020-12, section 4.2.3 of its core).
    func integer(_ name: String, in range: ClosedRange<Int>) throws(QueryError) -> Int? {
        guard let value = self[name] else { return nil }
        let parts = value.parts(by: ".", most: 2)
        let isWhole =
            parts.count == 1 || !parts[1].isEmpty && parts[1].utf8.allSatisfy { $0 == 0x30 }
        guard isWhole, parts[0].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = Int(parts[0]), range.contains(number)
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

/// Values that hold lists inside of something larger.
enum QueryText {
    /// Joins the elements again that a comma between quotation marks has parted.
    static func joinQuoted(_ elements: [String]) -> [String] {
        var joined: [String] = []
        var isOpen = false
        for element in elements {
            if isOpen, let last = joined.indices.last {
                joined[last] += "," + element
            } else {
                joined.append(element)
            }
            let marks = element.utf8.count { $0 == UInt8(ascii: "\"") }
            if marks % 2 == 1 { isOpen.toggle() }
        }
        return joined
    }
}
