/// How far the `WITH` of a statement unfolds.
///
/// SQLite puts a copy of a common table in the place of each of its names, before anything can stop
/// it: twenty tables that each name the one before twice become a million, and a chain of thousands
/// overflows the stack. So both are bounded before SQLite sees the text. Any word where a table may
/// stand counts as one if it has a table's name, which may count too much and never too little; so
/// tables of one name in several places count as one, and must not lie within each other.
struct SQLComplexity {
    /// Selects that a statement may unfold to.
    static let copyLimit = 500
    /// Common tables that may lie within each other: each takes some kilobytes of stack.
    static let depthLimit = 20

    /// By the table, how often its body has which words.
    private var bodies: [String: [String: Int]] = [:]
    private var definitions: [String: Int] = [:]
    private var known: [String: (copies: Int, depth: Int)] = [:]
    private var underWay: Set<String> = []
    private var isCircular = false

    /// Whether `sql` stays within both.
    static func isBounded(_ sql: String) -> Bool {
        var complexity = SQLComplexity(Array(SQLTokens(sql)))
        let whole = complexity.unfold("", level: 0)
        return !complexity.isCircular && whole.copies <= copyLimit
            && whole.depth <= depthLimit + 1
    }

    /// What a table's name may follow (sqlite.org/syntax/table-or-subquery.html, and `IN table`).
    private static let leaders: [SQLTokens.Token] = [
        .name("from"), .name("join"), .name("in"), .mark(UInt8(ascii: ",")),
        .mark(UInt8(ascii: "(")),
    ]

    /// The statement itself has no name.
    private init(_ tokens: [SQLTokens.Token]) {
        var open: [(name: String, level: Int)] = [("", 0)]
        var level = 0
        for (index, token) in tokens.enumerated() {
            switch token {
            case .mark(UInt8(ascii: "(")):
                level += 1
                if let (name, place) = SQLComplexity.table(before: index, tokens) {
                    // Where it is defined it is not used.
                    if SQLComplexity.isLeader(place - 1, tokens), let around = open.last?.name {
                        bodies[around]?[name]? -= 1
                    }
                    open.append((name, level))
                    bodies[name, default: [:]]["", default: 0] += 1
                    definitions[name, default: 0] += 1
                }
            case .mark(UInt8(ascii: ")")):
                if let last = open.last, last.level == level, open.count > 1 { open.removeLast() }
                level -= 1
            case .name(let word):
                guard let body = open.last?.name, !word.isEmpty,
                    SQLComplexity.isLeader(index - 1, tokens)
                else { continue }
                bodies[body, default: [:]][word, default: 0] += 1
            case .parameter, .mark: continue
            }
        }
    }

    private static func isLeader(_ index: Int, _ tokens: [SQLTokens.Token]) -> Bool {
        index >= 0 && leaders.contains(tokens[index])
    }

    /// The table that the parenthesis at `index` begins the body of, and where its name stands:
    /// `name [(columns)] AS [[NOT] MATERIALIZED] (`.
    private static func table(
        before index: Int, _ tokens: [SQLTokens.Token]
    ) -> (name: String, place: Int)? {
        var last = index - 1
        if last >= 0, tokens[last] == .name("materialized") { last -= 1 }
        if last >= 0, tokens[last] == .name("not") { last -= 1 }
        guard last > 0, tokens[last] == .name("as") else { return nil }
        last -= 1
        if tokens[last] == .mark(UInt8(ascii: ")")) {
            while last > 0, tokens[last] != .mark(UInt8(ascii: "(")) { last -= 1 }
            last -= 1
        }
        guard last >= 0, case .name(let name) = tokens[last] else { return nil }
        return (name, last)
    }

    /// - Parameter level: how many others this call lies in; a chain must not overflow this stack
    ///   either.
    private mutating func unfold(_ name: String, level: Int) -> (copies: Int, depth: Int) {
        if let found = known[name] { return found }
        guard level <= SQLComplexity.depthLimit + 1 else {
            return (1, SQLComplexity.depthLimit + 2)
        }
        underWay.insert(name)
        defer { underWay.remove(name) }
        var (copies, depth) = (1, 1)
        for (word, count) in bodies[name] ?? [:]
        where count > 0 && !word.isEmpty && bodies[word] != nil {
            // A table that names itself is recursive, and not unfolded. In a circle of several that
            // is an error, or another table of the same name.
            if underWay.contains(word) {
                if word != name || definitions[name, default: 0] > 1 { isCircular = true }
                continue
            }
            let part = unfold(word, level: level + 1)
            let (product, isTooLarge) = part.copies.multipliedReportingOverflow(by: count)
            copies = isTooLarge ? Int.max / 2 : min(copies + min(product, Int.max / 4), Int.max / 2)
            depth = max(depth, part.depth + 1)
        }
        known[name] = (copies, depth)
        return (copies, depth)
    }
}
