import Primitives
import SQLite

/// Reads the file of a named query: SQL, with comments in front that say what it is.
///
///     -- description: Most requested pages
///     -- param: days integer = 7 [1..90]
///     -- ttl: 30s
///     SELECT json_extract(data, '$.path') AS path, count(*) AS views FROM events
///     WHERE time >= :now - :days * 86400000 GROUP BY path
///
/// A comment of another form than `-- word: …` says nothing to this, and one after the SQL has begun
/// must not look as if it did.
struct NamedQueryFile {
    /// What is wrong with the file, each with its line where it has one.
    private(set) var problems: [String] = []
    private var description: String?
    private var parameters: [NamedParameter] = []
    private var policy: NamedQuery.Policy?
    private var ttl: Duration?
    private var staleWhileRevalidate: Duration?
    private var timeout: Duration?
    private var rowLimit: Int?
    private let name: String
    private let sql: String

    private static let keys = [
        "description", "param", "ttl", "stale_while_revalidate", "policy", "timeout", "max_rows",
    ]
    static let limitBytes = 64 << 10
    private static let parameterLimit = 50
    private static let ttlLimit = Duration.seconds(30 * 86_400)

    /// - Parameter timeLimit: how long a query may take at the most.
    init(name: String, text: String, timeLimit: Duration) {
        self.name = name
        sql = text
        var tokens = SQLTokens(text)
        var first: Int?
        while tokens.next() != nil { first = first ?? tokens.start }
        let bytes = Array(text.utf8)
        for comment in tokens.lineComments {
            let content = String(decoding: bytes[comment], as: UTF8.self)
            guard let (key, value) = NamedQueryFile.member(content[...]) else { continue }
            let line = bytes[..<comment.lowerBound].count { $0 == 0x0A } + 1
            if comment.lowerBound < first ?? bytes.count {
                take(key, value, line: line)
            } else if NamedQueryFile.keys.contains(key),
                NamedQueryFile.beginsLine(comment.lowerBound - 2, in: bytes)
            {
                complain(line, "`-- \(key):` must stand before the SQL")
            }
        }
        check(timeLimit: timeLimit)
    }

    /// The query; nil if there are problems.
    var query: NamedQuery? {
        guard problems.isEmpty else { return nil }
        let isMoving = MovingSQL.isMoving(sql) || parameters.contains { $0.kind == .time }
        var sql = sql
        let digest = sql.withUTF8 {
            Key128(hashing: UnsafeRawBufferPointer($0), key: Key128(high: 0x73716C, low: 1))
        }
        return NamedQuery(
            name: name, sql: sql, description: description, parameters: parameters,
            policy: policy ?? (ttl == nil ? .untilWrite : .ttl), ttl: ttl,
            staleWhileRevalidate: staleWhileRevalidate ?? .zero, timeout: timeout,
            rowLimit: rowLimit ?? 1000, dependsOnTime: isMoving, digest: digest)
    }

    private static func beginsLine(_ place: Int, in bytes: [UInt8]) -> Bool {
        bytes[..<place].last { $0 != 0x20 && $0 != 0x09 } ?? 0x0A == 0x0A
    }

    /// `word: value`; nil for a comment of another form.
    private static func member(_ comment: Substring) -> (key: String, value: String)? {
        let content = comment.drop { $0 == " " || $0 == "\t" }
        let key = content.prefix { ("a"..."z").contains($0) || $0 == "_" }
        let rest = content.dropFirst(key.count)
        guard !key.isEmpty, rest.first == ":" else { return nil }
        var value = rest.dropFirst().drop { $0 == " " || $0 == "\t" }
        while let last = value.last, [" ", "\t", "\r"].contains(last) { value.removeLast() }
        return (String(key), String(value))
    }

    private mutating func take(_ key: String, _ value: String, line: Int) {
        switch key {
        case "description": description = value
        case "param":
            do throws(NamedParameter.Fault) {
                let parameter = try NamedParameter(declaration: value)
                if parameters.contains(where: { $0.name == parameter.name }) {
                    complain(line, "there are two parameters of the name \(parameter.name)")
                }
                parameters.append(parameter)
            } catch { complain(line, error.reason) }
        case "ttl": ttl = duration(key, value, line)
        case "stale_while_revalidate": staleWhileRevalidate = duration(key, value, line)
        case "timeout": timeout = duration(key, value, line)
        case "policy":
            policy = NamedQuery.Policy(rawValue: value)
            if policy == nil { complain(line, "policy is ttl or until_write") }
        case "max_rows":
            rowLimit = Int(value).flatMap { (1...SQLQuestion.rowLimit).contains($0) ? $0 : nil }
            if rowLimit == nil { complain(line, "max_rows is 1 to \(SQLQuestion.rowLimit)") }
        default:
            complain(
                line,
                "there is no key \(key); there are: "
                    + NamedQueryFile.keys.joined(separator: " "))
        }
    }

    private mutating func duration(_ key: String, _ text: String, _ line: Int) -> Duration? {
        let units: [(String, Int64)] = [
            ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
        ]
        let digits = text.prefix { ("0"..."9").contains($0) }
        let unit = units.first { $0.0 == text.dropFirst(digits.count) }
        if let unit, digits.utf8.count <= 9, let count = Int64(digits), count > 0 {
            let duration = Duration.milliseconds(count * unit.1)
            if duration <= NamedQueryFile.ttlLimit { return duration }
        }
        complain(line, "\(key) is a duration such as 500ms, 30s or 5m, at most 30d")
        return nil
    }

    private mutating func check(timeLimit: Duration) {
        if policy == .ttl, ttl == nil { problems.append("policy ttl needs a ttl") }
        if let timeout, timeout > timeLimit {
            problems.append("timeout is longer than --query-timeout")
        }
        if parameters.count > NamedQueryFile.parameterLimit {
            problems.append("there are more than \(NamedQueryFile.parameterLimit) parameters")
        }
    }

    private mutating func complain(_ line: Int, _ what: String) {
        problems.append("line \(line): \(what)")
    }
}
