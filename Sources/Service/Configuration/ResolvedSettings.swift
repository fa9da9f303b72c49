/// The text of every setting and where it came from. Every text has been checked.
struct ResolvedSettings: Sendable {
    struct Entry: Sendable {
        let text: String
        let origin: SettingOrigin
    }

    private let entries: [String: Entry]
    /// What the file declares in its sections, by their names.
    private let sections: [String: [SectionEntry]]

    /// - Parameter entries: by names; a setting that is not among them has its default.
    init(_ entries: [String: Entry], sections: [String: [SectionEntry]] = [:]) {
        self.entries = entries
        self.sections = sections
    }

    /// What a section declares, in the order of the names.
    func entries(of form: SectionForm) -> [SectionEntry] { sections[form.name] ?? [] }

    func entry(_ row: SettingRow) -> Entry {
        entries[row.name] ?? Entry(text: row.defaultText, origin: .standard)
    }

    /// The value of a setting.
    subscript<Value>(_ path: KeyPath<Settings, Setting<Value>>) -> Value {
        let setting = Settings.table[keyPath: path]
        guard let entry = entries[setting.row.name] else { return setting.defaultValue }
        guard let value = setting.form.parse(entry.text) else {
            preconditionFailure("\(setting.row.name) was not checked before it was used")
        }
        return value
    }

    /// `host (flag --host)`: a setting and its source, for messages.
    func cite<Value>(_ path: KeyPath<Settings, Setting<Value>>) -> String {
        let row = Settings.table[keyPath: path].row
        return "\(row.name) (\(entry(row).origin))"
    }
}
