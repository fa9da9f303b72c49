/// How far the `WITH` of a statement unfolds, and how many conditions it has.
///
/// SQLite puts a copy of a common table in the place of each of its names, before anything can stop
/// it: twenty tables that each name the one before twice become a million, and a chain of thousands
/// overflows the stack. So both are bounded before SQLite sees the text. Any word where a table may
/// stand counts as one if it has a table's name, which may count too much and never too little; so
/// tables of one name in several places count as one, and must not lie within each other. SQLite
/// compares conditions with each other, and asks for no memory meanwhile that could be refused, so their
/// number is bounded too. What this does not see, `StatementBudget` stops.
struct SQLComplexity {
    /// Selects that a statement may unfold to.
    static let copyLimit = 500
    /// Common tables that may lie within each other: each takes some kilobytes of stack.
    static let depthLimit = 20
    /// Conditions: a thousand are compared within some 50 ms.
    static let conditionLimit = 1000

    /// By the table, how often its body has which words.
    private var bodies: [String: [String: Int]] = [:]
    private var definitions: [String: Int] = [:]
    private var known: [String: (copies: Int, depth: Int)] = [:]
    private var underWay: Set<String> = []
    private var isCircular = false

    /// Whether `sql` stays within all bounds.
    static func isBounded(_ sql: String) -> Bool { excess(of: sql) == nil }

    /// What is too much in `sql`; nil if nothing is.
    static func excess(of sql: String) -> String? {
        var source = SQLTokens(sql)
        var tokens: [Token] = []
        while let token = source.next() {
            tokens.append(Token(value: token, isQuoted: source.isQuoted))
        }
        let conditions = tokens.count {
            $0.isWord("and") || $0.isWord("or") || $0.isWord("between")
        }
        guard conditions <= conditionLimit else {
            return "the statement has more than \(conditionLimit) conditions"
        }
        var complexity = SQLComplexity(tokens)
        let whole = complexity.unfold("", level: 0)
        let isBounded =
            !complexity.isCircular && whole.copies <= copyLimit && whole.depth <= depthLimit + 1
        return isBounded ? nil : "its WITH unfolds too far"
    }

    private struct Token {
        let value: SQLTokens.Token
        let isQuoted: Bool

        /// Whether it may be this keyword.
        func isWord(_ word: String) -> Bool { !isQuoted && value == .name(word) }
    }

    /// What a table's name may follow (sqlite.org/syntax/table-or-subquery.html, and `IN table`).
    private static let leaders: [SQLTokens.Token] = [
        .name("from"), .name("join"), .name("in"), .mark(UInt8(ascii: ",")),
        .mark(UInt8(ascii: "(")),
    ]

    /// The statement itself has no name.
    private init(_ tokens: [Token]) {
        // The bodies that what follows belongs to.
        var open: [(names: Set<String>, level: Int)] = [([""], 0)]
        var level = 0
        for (index, token) in tokens.enumerated() {
            let around = open.last?.names ?? []
            switch token.value {
            case .mark(UInt8(ascii: "(")):
                level += 1
                guard let (name, place) = SQLComplexity.table(before: index, tokens) else {
                    continue
                }
                // Where it is defined it is not used.
                if SQLComplexity.isLeader(place - 1, tokens) {
                    for body in around { bodies[body]?[name]? -= 1 }
                }
                // A window may be based on one that is called `with`, and then this is no table.
                let isCertain = !tokens[index + 1].isWord("with")
                open.append((isCertain ? [name] : around.union([name]), level))
                bodies[name, default: [:]]["", default: 0] += 1
                definitions[name, default: 0] += 1
            case .mark(UInt8(ascii: ")")):
                if let last = open.last, last.level == level, open.count > 1 { open.removeLast() }
                level -= 1
            case .name(let word):
                guard !word.isEmpty, SQLComplexity.isLeader(index - 1, tokens) else { continue }
                for body in around { bodies[body, default: [:]][word, default: 0] += 1 }
            case .parameter, .mark: continue
            }
        }
    }

    private static func isLeader(_ index: Int, _ tokens: [Token]) -> Bool {
        index >= 0 && leaders.contains(tokens[index].value)
    }

    /// The table that the parenthesis at `index` begins the body of, and where its name stands:
    /// `name [(columns)] AS [[NOT] MATERIALIZED] (SELECT …`. What a window is called stands before
    /// `AS (` as well, and then belongs to the body around it.
    private static func table(
        before index: Int, _ tokens: [Token]
    ) -> (name: String, place: Int)? {
        guard index + 1 < tokens.count,
            ["select", "values", "with"].contains(where: tokens[index + 1].isWord)
        else { return nil }
        var last = index - 1
        if last >= 0, tokens[last].isWord("materialized") { last -= 1 }
        if last >= 0, tokens[last].isWord("not") { last -= 1 }
        guard last > 0, tokens[last].isWord("as") else { return nil }
        last -= 1
        if tokens[last].value == .mark(UInt8(ascii: ")")) {
            while last > 0, tokens[last].value != .mark(UInt8(ascii: "(")) { last -= 1 }
            last -= 1
        }
        guard last >= 0, case .name(let name) = tokens[last].value else { return nil }
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
