import ArgumentParser

/// What a flag of a setting was given. The text is checked later, with that of all other sources,
/// so that a wrong value reads the same wherever it came from.
struct SettingFlag: Sendable {
    /// The setting's name.
    let name: String
    let text: String

    /// What was given to the flags that a group declares, by the names of the settings.
    static func given(in group: some ParsableArguments) -> [String: String] {
        var given: [String: String] = [:]
        for child in Mirror(reflecting: group).children {
            if let option = child.value as? Option<SettingFlag?>, let flag = option.wrappedValue {
                given[flag.name] = flag.text
            } else if let flag = child.value as? Flag<Bool>, flag.wrappedValue,
                let label = child.label
            {
                given[hyphenated(label)] = "true"
            }
        }
        return given
    }

    /// `_insecureNoAuth`, as the compiler calls the wrapper's storage, becomes `insecure-no-auth`.
    private static func hyphenated(_ label: String) -> String {
        label.drop { $0 == "_" }
            .map { $0.isUppercase ? "-\($0.lowercased())" : String($0) }.joined()
    }
}

extension Option where Value == SettingFlag? {
    /// The flag of a setting, with its name and help from the table.
    init<SettingValue>(_ path: KeyPath<Settings, Setting<SettingValue>>) {
        let row = Settings.table[keyPath: path].row
        self.init(
            name: .customLong(row.name), help: row.argumentHelp,
            transform: { SettingFlag(name: row.name, text: $0) })
    }
}

extension Flag where Value == Bool {
    /// The flag of a setting that is on or off.
    init(wrappedValue: Bool, _ path: KeyPath<Settings, Setting<Bool>>) {
        let row = Settings.table[keyPath: path].row
        self.init(
            wrappedValue: wrappedValue, name: .customLong(row.name), help: row.argumentHelp)
    }
}

extension SettingRow {
    var argumentHelp: ArgumentHelp {
        let standard =
            defaultText.isEmpty || placeholder.isEmpty ? "" : " (default: \(defaultText))"
        return ArgumentHelp("\(help)\(standard)", valueName: placeholder)
    }
}
