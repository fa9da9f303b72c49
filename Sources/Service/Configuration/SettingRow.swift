/// What can be said about a setting without knowing its value's type.
struct SettingRow: Sendable {
    /// `journal-max-bytes`.
    let name: String
    let help: String
    /// Stands for the value in `--help`; empty for a flag that takes none.
    let placeholder: String
    /// What would be right, as the end of "… is not".
    let expectation: String
    /// Empty where the default is none.
    let defaultText: String
    /// Never printed, whatever it is.
    let isSecret: Bool
    let accepts: @Sendable (String) -> Bool
    /// What is shown in the place of a value that holds secrets in part; nil shows all of it.
    var mask: (@Sendable (String) -> String)?
    /// What is wrong with a value that is not accepted, without repeating it; nil if nothing more
    /// can be said than what would be right.
    var explain: (@Sendable (String) -> String?)?

    /// What every variable of ours begins with.
    static let variablePrefix = "MILLRACE_"

    /// `--journal-max-bytes`.
    var flag: String { "--\(name)" }

    /// `MILLRACE_JOURNAL_MAX_BYTES`.
    var variable: String {
        SettingRow.variablePrefix + name.uppercased().map { $0 == "-" ? "_" : $0 }
    }
}
