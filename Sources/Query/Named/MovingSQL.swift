/// Whether the answer of a statement changes while the events stay as they are: it says `:now`, asks for
/// the date, or draws lots.
enum MovingSQL {
    private static let words: Set<String> = ["current_date", "current_time", "current_timestamp"]
    private static let lots: Set<String> = ["random", "randomblob"]
    /// They read the clock if their argument is `now` or missing; what else it may be cannot be told.
    private static let times: Set<String> = [
        "date", "datetime", "julianday", "strftime", "time", "unixepoch",
    ]

    static func isMoving(_ sql: String) -> Bool {
        let tokens = Array(SQLTokens(sql))
        for (index, token) in tokens.enumerated() {
            switch token {
            case .parameter(let name): if name == ":" + SQLQuestion.present { return true }
            case .name(let word):
                if words.contains(word) { return true }
                guard index + 1 < tokens.count, tokens[index + 1] == .mark(UInt8(ascii: "("))
                else { continue }
                if lots.contains(word) { return true }
                if times.contains(word), !hasNumber(tokens[(index + 2)...]) { return true }
            case .mark: continue
            }
        }
        return false
    }

    /// Whether the call whose arguments begin here has the modifier `unixepoch`, with which only a
    /// number is a time: as in `date(time / 1000, 'unixepoch')`.
    private static func hasNumber(_ tokens: ArraySlice<SQLTokens.Token>) -> Bool {
        var depth = 0
        for (index, token) in zip(tokens.indices, tokens) {
            switch token {
            case .mark(UInt8(ascii: "(")): depth += 1
            case .mark(UInt8(ascii: ")")):
                if depth == 0 { return false }
                depth -= 1
            case .name("unixepoch"):
                let isArgument =
                    index > tokens.startIndex
                    && tokens[index - 1] == .mark(UInt8(ascii: ","))
                if depth == 0, isArgument { return true }
            default: continue
            }
        }
        return false
    }
}
