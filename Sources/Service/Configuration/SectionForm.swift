/// A section of the configuration file that declares things which its writer names: sinks, and
/// whatever a later part declares. Each has fields, and each field is a row like any setting's.
///
/// A section may be written as a mapping by name or as a list whose elements say their name:
///
///     sinks:                                  sinks:
///       audit: { url: "http://h/in" }           - name: audit
///                                                 url: http://h/in
///
/// To add a section: a form in `all`, and what turns a `SectionEntry` into the part's own options.
struct SectionForm: Sendable {
    /// `sinks`; with a dot where it stands in another, `mask.rules`.
    let name: String
    /// `sink`, for messages.
    let noun: String
    /// What an entry holds, for messages: `url, types and so on`.
    let example: String
    let countLimit: Int
    let isName: @Sendable (String) -> Bool
    /// What a name is, as the end of "the name of a sink is …".
    let nameRule: String
    /// What an entry cannot do without, and what is missing then.
    let required: [(field: String, consequence: String)]
    /// What may be suggested for a field that does not exist.
    let fields: [String]
    /// The row of a field by the names on the way to it; nil if there is no such field.
    let row: @Sendable (_ entry: String, _ path: [String]) -> SettingRow?
    /// Says more about a field that does not exist; nil where a suggestion says enough.
    let hint: @Sendable (_ path: [String]) -> String?
    /// The section is one thing, and what stands below its name are fields.
    var isSingle = false

    /// Every section there is.
    static let all: [SectionForm] = [
        SinkDeclaration.form, LogForwardDeclaration.form, RollupDeclaration.form, MaskForms.form,
        MaskRuleDeclaration.form,
    ]

    /// The row of a field that is checked by `form`.
    static func row<Value>(
        _ name: String, _ form: ValueForm<Value>, isSecret: Bool = false,
        mask: (@Sendable (String) -> String)? = nil
    ) -> SettingRow {
        SettingRow(
            name: name, help: "", placeholder: form.placeholder, expectation: form.expectation,
            defaultText: "", isSecret: isSecret, accepts: { form.parse($0) != nil },
            mask: mask ?? form.mask, explain: form.explain)
    }
}

/// One thing that a section declares: its name and the fields that the file sets. Every text has
/// been checked.
struct SectionEntry: Sendable {
    struct Field: Sendable {
        /// The names on the way to it, joined by dots.
        let key: String
        let row: SettingRow
        let entry: ResolvedSettings.Entry
    }

    let name: String
    /// In the order of the file.
    let fields: [Field]

    /// The text of a field; nil if the file does not set it.
    func text(_ key: String) -> String? { fields.first { $0.key == key }?.entry.text }

    /// The value of a field; nil if the file does not set it.
    func value<Value>(_ key: String, _ form: ValueForm<Value>) -> Value? {
        text(key).flatMap(form.parse)
    }
}
