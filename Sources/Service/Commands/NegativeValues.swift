/// Lets a negative number be the value of the flag before it. The parser would take `-1` of
/// `--port -1` for a flag of its own and say that a value is missing, where the truth is that ports
/// are not negative.
enum NegativeValues {
    /// `--port`, `-1` becomes `--port=-1`; all else stays.
    static func joined(_ arguments: some Sequence<String>) -> [String] {
        var joined: [String] = []
        for argument in arguments {
            if let flag = joined.last, flag.hasPrefix("--"), flag.count > 2, !flag.contains("="),
                isNegative(argument)
            {
                joined[joined.count - 1] = "\(flag)=\(argument)"
            } else {
                joined.append(argument)
            }
        }
        return joined
    }

    private static func isNegative(_ text: String) -> Bool {
        text.hasPrefix("-") && text.dropFirst().first?.isNumber == true
    }
}
