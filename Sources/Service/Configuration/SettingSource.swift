/// One place that settings can come from.
struct SettingSource {
    /// A place says something about a setting that is neither a text nor a list of texts, or a list
    /// whose elements cannot be told apart.
    struct WrongShape: Error { let reason: String? }

    private let texts: @Sendable (SettingRow) -> [String]?
    private let hasValue: @Sendable (SettingRow) -> Bool
    /// What to call this place when it gave the value of a row.
    let origin: @Sendable (SettingRow) -> SettingOrigin

    /// - Parameter flags: texts by the names of the settings.
    static func flags(_ flags: [String: String]) -> SettingSource {
        SettingSource(
            texts: { flags[$0.name].map { [$0] } }, hasValue: { flags[$0.name] != nil },
            origin: { .flag($0.flag) })
    }

    /// - Parameter variables: the environment, or what a test puts in its place.
    static func environment(_ variables: [String: String]) -> SettingSource {
        SettingSource(
            texts: { variables[$0.variable].map { [$0] } },
            hasValue: { variables[$0.variable] != nil }, origin: { .environment($0.variable) })
    }

    static func file(_ file: ConfigurationFile) -> SettingSource {
        SettingSource(
            texts: { file.value(ofSetting: $0.name)?.tree.texts },
            hasValue: { file.value(ofSetting: $0.name) != nil },
            origin: { .file(file.path, line: file.value(ofSetting: $0.name)?.line) })
    }

    /// One value of a file, whatever the row that is asked about.
    static func value(_ tree: YAMLTree, at origin: SettingOrigin) -> SettingSource {
        SettingSource(texts: { _ in tree.texts }, hasValue: { _ in true }, origin: { _ in origin })
    }

    /// The text this place gives for a row; a list becomes one comma list. Nil if it says nothing.
    func text(for row: SettingRow) throws(WrongShape) -> String? {
        guard hasValue(row) else { return nil }
        guard let texts = texts(row) else { throw WrongShape(reason: nil) }
        if texts.count > 1, texts.contains(where: { $0.contains(",") }) {
            throw WrongShape(reason: "an element of a list has a comma in it")
        }
        return texts.joined(separator: ",")
    }
}
