/// Reads one section of a configuration file, and collects everything that is wrong with it.
struct SectionReader {
    private let form: SectionForm
    private let path: String
    private(set) var entries: [SectionEntry] = []
    private(set) var problems: [String] = []

    init(_ form: SectionForm, path: String) {
        self.form = form
        self.path = path
    }

    /// Takes what the section declares, as a mapping by name or as a list.
    mutating func read(_ tree: YAMLTree) {
        switch tree.content {
        case .mapping(let members) where form.isSingle:
            addFields(of: "", members)
        case .mapping(let members):
            for member in members { readMember(member) }
        case .list(let elements) where !form.isSingle:
            for (index, element) in elements.enumerated() { readElement(element, index) }
        case .text(""):
            break
        case .text, .list:
            complain(
                [], tree.line,
                form.isSingle
                    ? "is no mapping: \(form.example)"
                    : "is neither a mapping by name nor a list of \(form.name)")
        }
        if entries.count > form.countLimit {
            problems.append(
                "\(form.name) (\(SettingOrigin.file(path, line: tree.line))): declares "
                    + "\(entries.count) \(form.name); at most \(form.countLimit) are possible")
        }
        entries.sort { $0.name < $1.name }
    }

    private mutating func readMember(_ member: YAMLTree.Member) {
        guard case .mapping(let fields) = member.value.content else {
            return complain(
                [member.name], member.line,
                "a \(form.noun) is a name and, below it, \(form.example)")
        }
        add(member.name, fields, line: member.line)
    }

    private mutating func readElement(_ element: YAMLTree, _ index: Int) {
        guard case .mapping(let fields) = element.content else {
            return complain(
                ["\(index + 1)"], element.line,
                "a \(form.noun) is a mapping with a name, \(form.example)")
        }
        guard let member = fields.first(where: { $0.name == "name" }),
            case .text(let name) = member.value.content
        else {
            return complain(["\(index + 1)"], element.line, "the \(form.noun) has no name")
        }
        add(name, fields.filter { $0.name != "name" }, line: member.line)
    }

    private mutating func add(_ name: String, _ members: [YAMLTree.Member], line: Int) {
        guard form.isName(name) else {
            return complain([name], line, "the name of a \(form.noun) is \(form.nameRule)")
        }
        guard !entries.contains(where: { $0.name == name }) else {
            return complain([name], line, "there are two of this name")
        }
        addFields(of: name, members, line: line)
    }

    private mutating func addFields(
        of name: String, _ members: [YAMLTree.Member], line: Int = 0
    ) {
        var fields: [SectionEntry.Field] = []
        let count = problems.count
        take(members, [], of: name, into: &fields)
        for (field, consequence) in form.required
        where problems.count == count && !fields.contains(where: { $0.key == field }) {
            complain([name], line, "has no \(field), so \(consequence)")
        }
        entries.append(SectionEntry(name: name, fields: fields))
    }

    private mutating func take(
        _ members: [YAMLTree.Member], _ above: [String], of name: String,
        into fields: inout [SectionEntry.Field]
    ) {
        for member in members {
            let names = above + [member.name]
            if let row = form.row(name, names) {
                let origin = SettingOrigin.file(path, line: member.line)
                switch SettingReading.of(row, from: .value(member.value, at: origin)) {
                case .value(let entry):
                    fields.append(
                        SectionEntry.Field(
                            key: names.joined(separator: "."), row: row, entry: entry))
                case .problem(let problem): problems.append(problem)
                case .nothing: break
                }
            } else if case .mapping(let inner) = member.value.content {
                take(inner, names, of: name, into: &fields)
            } else {
                complain([name] + names, member.line, "there is no such setting\(hint(names))")
            }
        }
    }

    private func hint(_ names: [String]) -> String {
        if let hint = form.hint(names) { return "; \(hint)" }
        let nearest = names.first.flatMap { Suggestion.nearest(to: $0, among: form.fields) }
        return nearest.map { "; did you mean \($0)?" } ?? ""
    }

    /// `sinks.audit.url (file millrace.yaml:3): …`.
    private mutating func complain(_ names: [String], _ line: Int, _ what: String) {
        let key = ([form.name] + names.filter { !$0.isEmpty }).joined(separator: ".")
        problems.append("\(key) (\(SettingOrigin.file(path, line: line))): \(what)")
    }
}
