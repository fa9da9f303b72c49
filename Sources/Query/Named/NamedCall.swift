import Cache
import Primitives
import SQLite

/// One question to a named query: its parameters read and checked, moments still relative.
package struct NamedCall: Sendable {
    package let query: NamedQuery
    /// Null for an optional one that is not there.
    private(set) var values: [String: NamedValue] = [:]
    package private(set) var format: QueryFormat
    package private(set) var shape = QueryShape.rows
    package private(set) var cacheMode: QueryCacheMode?
    /// Seconds of staleness the caller accepts; 0 is strictly fresh.
    package private(set) var maxStaleSeconds: Int?

    private static let staleLimitSeconds = 366 * 86_400

    /// Reads decoded parameters.
    /// - Parameter format: what is written unless `format=` says otherwise.
    package init(
        _ query: NamedQuery, _ given: [Parameter], format: QueryFormat
    ) throws(QueryError) {
        self.query = query
        self.format = format
        var seen: Set<ExactText> = []
        for parameter in given {
            guard seen.insert(ExactText(parameter.name)).inserted else {
                throw .repeated(parameter.name)
            }
            try take(parameter.name, parameter.value)
        }
        for declared in query.parameters where values[declared.name] == nil {
            if let standard = declared.standard {
                values[declared.name] = try declared.value(standard)
            } else if declared.isOptional {
                values[declared.name] = .value(.null)
            } else {
                throw .missing(
                    declared.name, "\(declared.name) is required (\(declared.kind.rawValue))")
            }
        }
    }

    private mutating func take(_ name: String, _ value: String) throws(QueryError) {
        switch name {
        case "format": format = try .choice(name, value)
        case "shape": shape = try .choice(name, value)
        case "cache": cacheMode = try .choice(name, value)
        case "max_stale":
            guard let seconds = Int(value), (0...NamedCall.staleLimitSeconds).contains(seconds)
            else {
                throw .invalid(
                    name, "must be a whole number from 0 to \(NamedCall.staleLimitSeconds)")
            }
            maxStaleSeconds = seconds
        default:
            guard
                let declared = query.parameters.first(where: {
                    ExactText($0.name) == ExactText(name)
                })
            else {
                let offered =
                    query.parameters.map(\.name) + ["format", "shape", "cache", "max_stale"]
                throw .unknown(name, offered.joined(separator: " "))
            }
            values[declared.name] = try declared.value(value)
        }
    }

    /// What a cache knows the answer by: all that decides it but the events and the time.
    var cacheKey: Bytes {
        var key = ByteBuffer(capacity: 256)
        key.append("named 1 ")
        key.append(jsonString: query.name)
        key.append(" ")
        key.append(hex: query.digest.high, digits: 16)
        key.append(hex: query.digest.low, digits: 16)
        key.append(" ")
        key.append(decimal: query.rowLimit)
        for parameter in query.parameters {
            key.append("\n")
            key.append(jsonString: parameter.name)
            key.append(" ")
            key.append(jsonString: values[parameter.name]?.canonical ?? "n")
        }
        key.append("\n")
        key.append(format.rawValue)
        key.append(format == .json ? shape.rawValue : "")
        return key.freeze()
    }

    /// What its answers are purged by: the query's name, and the word for answers over all types.
    var cacheTags: [UInt64] {
        [CacheContent.tag(query.name), CacheContent.tag(QueryRequest.tagOfAllTypes)]
    }

    /// - Parameter now: milliseconds since 1970.
    func question(now: Int64) throws(QueryError) -> SQLQuestion {
        var question = SQLQuestion(sql: query.sql, format: format, shape: shape)
        question.rowLimit = query.rowLimit
        for (name, value) in values {
            guard let value = value.resolved(now: now) else {
                throw .invalid(name, QueryMoment.rule)
            }
            question.values[name] = value
        }
        return question
    }
}
