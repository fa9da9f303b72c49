import Masking

/// Rules of masking as the configuration file declares them: a name, a pattern, and what narrows it.
///
///     mask:
///       rules:
///         customer:
///           pattern: '\bC-\d{6}\b'
///           context: [customer, kunde]
///           exclude: [attributes.order]
///           form: hash
enum MaskRuleDeclaration {
    static let form = SectionForm(
        name: "mask.rules", noun: "rule", example: "pattern, form and so on",
        // Each is one more pass over every text.
        countLimit: 64,
        isName: MaskingRule.isName,
        nameRule: "1 to 32 letters, digits and _, and none of a class",
        required: [("pattern", "there is nothing to look for")],
        fields: ["pattern", "validator", "context", "include", "exclude", "allow", "form"],
        row: row, hint: { _ in nil })

    private static let pattern = ValueForm<String>(
        placeholder: "pattern", expectation: "a pattern of RE2 that matches some text",
        parse: { !$0.isEmpty && MaskingRule.fault(inPattern: $0) == nil ? $0 : nil },
        explain: { $0.isEmpty ? nil : MaskingRule.fault(inPattern: $0) })
    private static let validator = ValueForm<MaskingRule.Validator>.choice
    private static let list = ValueForm<[String]>.list
    private static let maskForm = MaskForms.value(hasPartial: false)

    /// What a declaration means.
    static func rule(_ entry: SectionEntry) -> MaskingRule {
        var rule = MaskingRule(name: entry.name, pattern: entry.text("pattern") ?? "")
        rule.validator = entry.value("validator", validator) ?? .none
        rule.context = entry.value("context", list) ?? []
        rule.includedPaths = entry.value("include", list) ?? []
        rule.excludedPaths = entry.value("exclude", list) ?? []
        rule.allowed = Set(entry.value("allow", list) ?? [])
        rule.form = entry.value("form", maskForm) ?? .redact
        return rule
    }

    @Sendable private static func row(_ rule: String, _ path: [String]) -> SettingRow? {
        let name = (["mask-rules", rule] + path).joined(separator: "-")
        switch path {
        case ["pattern"]: return SectionForm.row(name, pattern)
        case ["validator"]: return SectionForm.row(name, validator)
        case ["context"], ["include"], ["exclude"], ["allow"]: return SectionForm.row(name, list)
        case ["form"]: return SectionForm.row(name, maskForm)
        default: return nil
        }
    }
}
