internal import Configuration

/// One place that settings can come from, behind a provider of swift-configuration.
struct SettingSource {
    private let snapshot: any ConfigSnapshot
    private let key: (SettingRow) -> AbsoluteConfigKey?
    /// What to call this place when it gave the value of a row.
    let origin: (SettingRow) -> SettingOrigin

    /// - Parameter flags: texts by the names of the settings.
    static func flags(_ flags: [String: String]) -> SettingSource {
        var values: [AbsoluteConfigKey: ConfigValue] = [:]
        for (name, text) in flags {
            values[AbsoluteConfigKey([name])] = ConfigValue(.string(text), isSecret: false)
        }
        return SettingSource(
            snapshot: InMemoryProvider(name: "flags", values: values).snapshot(),
            key: { AbsoluteConfigKey([$0.name]) },
            origin: { .flag($0.flag) })
    }

    /// - Parameter variables: the environment, or what a test puts in its place.
    static func environment(_ variables: [String: String]) -> SettingSource {
        // The provider upper-cases a key and joins it with `_`: MILLRACE_JOURNAL_MAX_BYTES.
        SettingSource(
            snapshot: EnvironmentVariablesProvider(environmentVariables: variables).snapshot(),
            key: { AbsoluteConfigKey(["millrace", $0.name]) },
            origin: { .environment($0.variable) })
    }

    static func file(_ file: ConfigurationFile) -> SettingSource {
        SettingSource(
            snapshot: file.snapshot,
            key: { file.key(ofSetting: $0.name).map { AbsoluteConfigKey($0) } },
            origin: { .file(file.path, line: file.line(ofSetting: $0.name)) })
    }

    /// The text this place gives for a row; a list becomes one comma list. Nil if it says nothing.
    /// - Throws: if there is something that is neither a text nor a list of texts.
    func text(for row: SettingRow) throws -> String? {
        guard let key = key(row) else { return nil }
        do {
            let content = try snapshot.value(forKey: key, type: .string).value?.content
            guard case .string(let text)? = content else { return nil }
            return text
        } catch {
            let content = try snapshot.value(forKey: key, type: .stringArray).value?.content
            guard case .stringArray(let texts)? = content else { return nil }
            return texts.joined(separator: ",")
        }
    }
}
