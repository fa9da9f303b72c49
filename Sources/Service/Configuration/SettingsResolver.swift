/// Brings flags, environment, file and defaults together, in that order.
struct SettingsResolver {
    private let rows = Settings.table.rows
    private var sources: [SettingSource] = []
    private var entries: [String: ResolvedSettings.Entry] = [:]
    private var problems: [String] = []
    private var sections: [String: [SectionEntry]] = [:]

    /// - Parameters:
    ///   - flags: texts by the names of the settings.
    ///   - environment: all variables; those without our prefix are not looked at.
    /// - Throws: everything that is wrong with names and values, together.
    static func resolve(
        flags: [String: String], environment: [String: String]
    ) throws(ConfigurationError) -> ResolvedSettings {
        var resolver = SettingsResolver()
        resolver.sources = [.flags(flags), .environment(environment)]
        resolver.refuseUnknown(variables: environment)
        try resolver.addFile()
        resolver.takeValues()
        guard resolver.problems.isEmpty else { throw ConfigurationError(resolver.problems) }
        return ResolvedSettings(resolver.entries, sections: resolver.sections)
    }

    /// Opens the file that the sources so far name. Without one YAML costs nothing.
    private mutating func addFile() throws(ConfigurationError) {
        let row = Settings.table.config.row
        for source in sources {
            guard let path = (try? source.text(for: row)) ?? nil else { continue }
            guard !path.isEmpty else { return }
            do {
                let file = try ConfigurationFile(path: path, readBy: source.origin(row))
                refuseUnknown(keysOf: file)
                sources.append(.file(file))
                takeSections(of: file)
            } catch {
                throw ConfigurationError(problems + error.problems)
            }
            return
        }
    }

    private mutating func takeValues() {
        for row in rows {
            for source in sources {
                if take(row, from: source) { break }
            }
        }
    }

    /// - Returns: whether the source says something about the row, be it wrong.
    private mutating func take(_ row: SettingRow, from source: SettingSource) -> Bool {
        switch SettingReading.of(row, from: source) {
        case .nothing: return false
        case .value(let entry): entries[row.name] = entry
        case .problem(let problem): problems.append(problem)
        }
        return true
    }

    private mutating func takeSections(of file: ConfigurationFile) {
        for (form, tree) in file.sections {
            var reader = SectionReader(form, path: file.path)
            reader.read(tree)
            problems += reader.problems
            sections[form.name] = reader.entries
        }
    }

    private mutating func refuseUnknown(variables: [String: String]) {
        let known = rows.map(\.variable)
        for (variable, value) in variables.sorted(by: { $0.key < $1.key })
        where variable.hasPrefix(SettingRow.variablePrefix) && !known.contains(variable) {
            var problem = "\(variable): there is no such setting"
            if value.hasPrefix("tcp://") || variable.hasPrefix("MILLRACE_SERVICE_") {
                problem +=
                    "; Kubernetes sets it for a service named millrace:"
                    + " put `enableServiceLinks: false` into the pod's spec"
            } else if let name = SettingsResolver.nearestVariable(to: variable, among: known) {
                problem += "; did you mean \(name)?"
            }
            problems.append(problem)
        }
    }

    /// What all variables begin with says nothing about how near they are.
    private static func nearestVariable(to variable: String, among known: [String]) -> String? {
        let prefix = SettingRow.variablePrefix
        return Suggestion.nearest(
            to: String(variable.dropFirst(prefix.count)),
            among: known.map { String($0.dropFirst(prefix.count)) }
        ).map { prefix + $0 }
    }

    private mutating func refuseUnknown(keysOf file: ConfigurationFile) {
        // A file cannot name the file to read.
        let known = rows.map(\.name).filter { $0 != Settings.table.config.row.name }
        let candidates = known + SectionForm.all.map(\.name)
        for (name, value) in file.values where !known.contains(name) {
            let origin = SettingOrigin.file(file.path, line: value.line)
            var problem = "\(value.key) (\(origin)): there is no such setting"
            if let nearest = Suggestion.nearest(to: name, among: candidates) {
                problem += "; did you mean \(nearest)?"
            }
            problems.append(problem)
        }
    }
}

extension SettingRow {
    /// A value as messages show it: hidden if it is secret, short, and without control characters.
    func quote(_ text: String) -> String {
        if isSecret { return "the hidden value" }
        if text.isEmpty { return "an empty value" }
        let text = mask?(text) ?? text
        let shown = text.unicodeScalars.prefix(80).map { scalar in
            scalar.value < 0x20 || scalar.value == 0x7F ? "?" : Character(scalar)
        }
        return "`\(String(shown))\(text.unicodeScalars.count > 80 ? "…" : "")`"
    }
}
