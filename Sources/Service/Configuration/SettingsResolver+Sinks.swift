/// Sinks: the one part of the configuration whose names are chosen by whoever writes the file.
extension SettingsResolver {
    /// Takes what the file declares, and says what is wrong with names, keys and values.
    mutating func takeSinks(of file: ConfigurationFile, from source: SettingSource) {
        var declarations: [String: SinkDeclaration] = [:]
        for key in file.keys(of: SinkDeclaration.section) {
            let place = cite(file, key)
            guard key.count >= 3 else {
                problems.append("\(place): a sink is a name and, below it, url, types and so on")
                continue
            }
            guard SinkForms.isName(key[1]) else {
                problems.append(
                    "\(place): the name of a sink is 1 to 63 of the characters a-z 0-9 - _")
                continue
            }
            let path = Array(key.dropFirst(2))
            var declaration = declarations[key[1]] ?? SinkDeclaration(name: key[1])
            if let row = declaration.add(path) {
                _ = take(row, from: source)
            } else {
                problems.append("\(place): there is no such setting\(hint(path))")
            }
            declarations[key[1]] = declaration
        }
        accept(declarations.values.sorted { $0.name < $1.name }, of: file)
    }

    private mutating func accept(_ declarations: [SinkDeclaration], of file: ConfigurationFile) {
        for declaration in declarations where declaration.rows["url"] == nil {
            let place = cite(file, [SinkDeclaration.section, declaration.name])
            problems.append("\(place): has no url, so there is nowhere to send events to")
        }
        if declarations.count > SinkDeclaration.countLimit {
            problems.append(
                "\(SinkDeclaration.section) (file \(file.path)): declares \(declarations.count) "
                    + "sinks; at most \(SinkDeclaration.countLimit) are possible")
        }
        sinks = declarations
    }

    /// `sinks.audit.url (file millrace.yaml:3)`.
    private func cite(_ file: ConfigurationFile, _ key: [String]) -> String {
        "\(key.joined(separator: ".")) (\(SettingOrigin.file(file.path, line: file.line(of: key))))"
    }

    private func hint(_ path: [String]) -> String {
        guard let first = path.first else { return "" }
        if path.count == 2, first == "headers" {
            return "; `\(path[1])` is no header that can be set"
        }
        let nearest = Suggestion.nearest(to: first, among: SinkDeclaration.keys)
        return nearest.map { "; did you mean \($0)?" } ?? ""
    }
}
