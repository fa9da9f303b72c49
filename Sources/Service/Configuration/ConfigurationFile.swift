/// A YAML file of settings.
///
/// The names on the way to a value, joined by hyphens, are the setting's name, so
/// `journal: { max-bytes: 1GiB }` and `journal-max-bytes: 1GiB` say the same. The sections of
/// `SectionForm.all` hold what the file's writer names, and are read by their own forms.
struct ConfigurationFile: Sendable {
    /// What the file sets.
    struct Value: Sendable {
        /// `journal.max-bytes`, as it is written.
        let key: String
        let line: Int
        let tree: YAMLTree
    }

    let path: String
    /// In the order of the file, by the names of the settings they stand for.
    private(set) var values: [(name: String, value: Value)] = []
    /// The sections that are there.
    private(set) var sections: [(form: SectionForm, tree: YAMLTree)] = []

    /// A longer file is no configuration; it is refused before it is parsed.
    private static let limitBytes = 1 << 20

    /// - Throws: one problem that says why the file cannot be read or understood.
    init(path: String, readBy origin: SettingOrigin) throws(ConfigurationError) {
        self.path = path
        let text: String
        do { text = try TextFile.read(path, limitBytes: ConfigurationFile.limitBytes) } catch {
            throw ConfigurationError(
                "config: `\(path)` (\(origin)) cannot be read: \(error.reason)")
        }
        let tree: YAMLTree
        do { tree = try YAMLTree(parsing: text) } catch {
            throw problem(error.line, "is not a YAML mapping of settings: \(error.reason)")
        }
        guard case .mapping(let members) = tree.content else {
            throw problem(
                tree.line,
                "is not a YAML mapping of settings: a setting is a name, a colon and a value")
        }
        try add(members, below: [])
    }

    /// The value of a setting; nil if the file does not set it.
    func value(ofSetting name: String) -> Value? { values.first { $0.name == name }?.value }

    private mutating func add(
        _ members: [YAMLTree.Member], below path: [String]
    ) throws(ConfigurationError) {
        for member in members {
            let names = path + [member.name]
            let key = names.joined(separator: ".")
            if let form = SectionForm.all.first(where: { $0.name == key }) {
                try refuseEmptyMappings(in: member.value)
                sections.append((form, member.value))
                continue
            }
            if let text = try ages(member, key) {
                try add(Value(key: key, line: member.line, tree: text))
                continue
            }
            if case .mapping(let inner) = member.value.content {
                guard !inner.isEmpty else { throw emptyMapping(member.line) }
                try add(inner, below: names)
            } else {
                try add(
                    Value(key: names.joined(separator: "."), line: member.line, tree: member.value))
            }
        }
    }

    /// The ages of `retention` or `logs.retention`, written as a mapping by types or services, as the
    /// text that flags have; nil for anything else.
    private func ages(
        _ member: YAMLTree.Member, _ key: String
    ) throws(ConfigurationError) -> YAMLTree? {
        let name = String(key.map { $0 == "." ? "-" : $0 })
        let table = Settings.table
        guard name == table.retention.row.name || name == table.logsRetention.row.name,
            case .mapping(let ages) = member.value.content
        else { return nil }
        guard !ages.isEmpty else { throw emptyMapping(member.line) }
        var parts: [String] = []
        for age in ages {
            guard case .text(let text) = age.value.content, !text.contains(",") else {
                throw problem(age.line, "\(key).\(age.name) is no age, such as 7d or off")
            }
            guard !age.name.contains(",") else {
                throw problem(age.line, "\(key) has a name with a comma, which it cannot")
            }
            parts.append(age.name == RetentionText.standardName ? text : "\(age.name)=\(text)")
        }
        return YAMLTree(text: parts.joined(separator: ","), line: member.value.line)
    }

    private mutating func add(_ value: Value) throws(ConfigurationError) {
        let name = String(value.key.map { $0 == "." ? "-" : $0 })
        if let other = self.value(ofSetting: name) {
            throw problem(
                value.line,
                "sets \(name) twice: \(other.key) (line \(other.line)) and \(value.key)")
        }
        values.append((name, value))
    }

    /// An empty section declares nothing, which is all right; a name within it that has no value is
    /// a mistake.
    private func refuseEmptyMappings(in tree: YAMLTree) throws(ConfigurationError) {
        for member in tree.members {
            if case .mapping(let inner) = member.value.content, inner.isEmpty {
                throw emptyMapping(member.line)
            }
            try refuseEmptyMappings(in: member.value)
        }
        guard case .list(let elements) = tree.content else { return }
        for element in elements { try refuseEmptyMappings(in: element) }
    }

    private func emptyMapping(_ line: Int) -> ConfigurationError {
        problem(line, "`{}` sets nothing; give the name before it a value, or leave both out")
    }

    private func problem(_ line: Int?, _ what: String) -> ConfigurationError {
        ConfigurationError("\(SettingOrigin.file(path, line: line)): \(what)")
    }
}
