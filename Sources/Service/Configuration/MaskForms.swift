import Masking

/// What becomes of matches, by class, as the configuration file says:
///
///     mask:
///       forms: { email: hash, card: partial, phone: detect, ipv4: redact }
enum MaskForms {
    static let form = SectionForm(
        name: "mask.forms", noun: "form", example: "a class and its form, such as email: hash",
        countLimit: 1, isName: { _ in true }, nameRule: "", required: [],
        fields: PIIClass.allCases.map(\.name), row: row, hint: { _ in nil }, isSingle: true)

    /// Classes of which a part can be left that says little.
    private static let partialClasses: Set<PIIClass> = [
        .email, .card, .iban, .ssn, .phone, .ipv4, .ipv6, .token,
    ]

    /// What the file says, by class.
    static func forms(_ entries: [SectionEntry]) -> [PIIClass: MaskForm] {
        var forms: [PIIClass: MaskForm] = [:]
        for field in entries.flatMap(\.fields) {
            guard let kind = kind(field.key), let form = MaskForm(name: field.entry.text) else {
                continue
            }
            forms[kind] = form
        }
        return forms
    }

    /// `private-key` and `private_key` are the same class.
    private static func kind(_ name: String) -> PIIClass? {
        PIIClass(name: String(name.map { $0 == "-" ? "_" : $0 }))
    }

    @Sendable private static func row(_ entry: String, _ path: [String]) -> SettingRow? {
        guard path.count == 1, let kind = kind(path[0]) else { return nil }
        return SectionForm.row(
            "mask-forms-\(path[0])", value(hasPartial: partialClasses.contains(kind)))
    }

    /// One of the forms; own rules and some classes have no part that says little.
    static func value(hasPartial: Bool) -> ValueForm<MaskForm> {
        let names = MaskForm.names.filter { hasPartial || $0 != "partial" }
        return ValueForm(
            placeholder: "form", expectation: "one of \(names.joined(separator: ", "))",
            parse: { names.contains($0) ? MaskForm(name: $0) : nil })
    }
}
