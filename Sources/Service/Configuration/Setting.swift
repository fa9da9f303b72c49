/// One setting: what it is called, what its value may be, and what it is when nobody says.
struct Setting<Value: Sendable>: Sendable {
    let row: SettingRow
    let form: ValueForm<Value>
    let defaultValue: Value

    /// - Parameters:
    ///   - name: words and hyphens; the flag, the variable and the YAML path follow from it.
    ///   - standard: the default, written as a user would; it must be of the form.
    ///   - help: one sentence without its full stop, for `--help`.
    init(
        _ name: String, _ form: ValueForm<Value>, default standard: String,
        isSecret: Bool = false, _ help: String
    ) {
        guard let value = form.parse(standard) else {
            preconditionFailure("the default of \(name) is not \(form.expectation)")
        }
        self.form = form
        defaultValue = value
        row = SettingRow(
            name: name, help: help, placeholder: form.placeholder, expectation: form.expectation,
            defaultText: standard, isSecret: isSecret,
            accepts: { form.parse($0) != nil }, mask: form.mask, explain: form.explain)
    }
}

/// Lets the table find its rows whatever their values' types are.
protocol SettingDeclaration {
    var row: SettingRow { get }
}

extension Setting: SettingDeclaration {}
