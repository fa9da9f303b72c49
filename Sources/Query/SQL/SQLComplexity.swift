/// How far the `WITH` of a statement unfolds.
///
/// SQLite puts a copy of a common table in the place of each of its names, before anything can stop
/// it: twenty tables that each name the one before twice become a million, and a chain of thousands
/// overflows the stack. So both are bounded before SQLite sees the text. Any word that is a table's
/// name counts as one, which may count too much and never too little.
struct SQLComplexity {
    /// Selects that a statement may unfold to.
    static let copyLimit = 500
    /// Common tables that may lie within each other: each takes some kilobytes of stack.
    static let depthLimit = 20

    /// By the table, how often its body has which words.
    private var bodies: [String: [String: Int]] = [:]
    private var known: [String: (copies: Int, depth: Int)] = [:]

    /// Whether `sql` stays within both.
    static func isBounded(_ sql: String) -> Bool {
        var complexity = SQLComplexity(Array(SQLTokens(sql)))
        let whole = complexity.unfold("")
        return whole.copies <= copyLimit && whole.depth <= depthLimit + 1
    }

    /// The statement itself has no name.
    private init(_ tokens: [SQLTokens.Token]) {
        var open: [(name: String, level: Int)] = [("", 0)]
        var level = 0
        for (index, token) in tokens.enumerated() {
            switch token {
            case .mark(UInt8(ascii: "(")):
                level += 1
                if let name = SQLComplexity.tableName(before: index, tokens) {
                    // Where it is defined it is not used.
                    if let around = open.last?.name { bodies[around]?[name]? -= 1 }
                    open.append((name, level))
                    bodies[name, default: [:]]["select", default: 0] += 1
                }
            case .mark(UInt8(ascii: ")")):
                if let last = open.last, last.level == level, open.count > 1 { open.removeLast() }
                level -= 1
            case .name(let word):
                guard let body = open.last?.name else { continue }
                bodies[body, default: [:]][word, default: 0] += 1
            case .parameter, .mark: continue
            }
        }
    }

    /// The name that the parenthesis at `index` begins the body of: `name [(columns)] AS [[NOT]
    /// MATERIALIZED] (`.
    private static func tableName(before index: Int, _ tokens: [SQLTokens.Token]) -> String? {
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
        return name
    }

    private mutating func unfold(_ name: String) -> (copies: Int, depth: Int) {
        if let found = known[name] { return found }
        // Whoever names itself is not unfolded.
        known[name] = (1, 1)
        var (copies, depth) = (1, 1)
        for (word, count) in bodies[name] ?? [:]
        where count > 0 && word != name && bodies[word] != nil {
            let part = unfold(word)
            let (product, isTooLarge) = part.copies.multipliedReportingOverflow(by: count)
            copies = isTooLarge ? Int.max / 2 : min(copies + min(product, Int.max / 4), Int.max / 2)
            depth = max(depth, part.depth + 1)
        }
        known[name] = (copies, depth)
        return (copies, depth)
    }
}
