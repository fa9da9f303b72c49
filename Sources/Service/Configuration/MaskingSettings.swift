import EventCoding
import Masking

/// Masking as the configuration wants it: one masker for all that the service says and shows.
package struct MaskingSettings: Sendable {
    package let mode: String
    package let masker: Masker
    /// Event types whose data is masked; empty: none is.
    package let eventTypes: [String]
    /// Classes and rules that are masked in data; empty: all.
    package let eventClasses: [String]
    /// Previews, and data where that is wanted.
    package let events: EventMasking

    private static let keyLimitBytes = 4 << 10
    /// 128 bits: with a shorter key hashes of few possible values could be found by trying keys.
    private static let keyLeastBytes = 16

    /// - Throws: everything that is wrong, with the setting and its source. No key is in it.
    init(_ values: ResolvedSettings) throws(ConfigurationError) {
        var problems: [String] = []
        var policy = MaskingPolicy()
        policy.isStrict = values[\.maskMode] == .strict
        policy.allowed = Set(values[\.maskAllow])
        let forms = values.entries(of: MaskForms.form)
        policy.forms.merge(MaskForms.forms(forms)) { $1 }
        let rules = values.entries(of: MaskRuleDeclaration.form)
        policy.rules = rules.map(MaskRuleDeclaration.rule)
        do throws(ConfigurationError) { policy.hashKey = try MaskingSettings.key(values) } catch {
            problems += error.problems
        }
        if policy.hashKey == nil, problems.isEmpty {
            problems += MaskingSettings.hashes(in: forms + rules)
        }
        problems += MaskingSettings.classProblems(values, policy)
        guard problems.isEmpty else { throw ConfigurationError(problems) }
        mode = values[\.maskMode].rawValue
        eventTypes = values[\.maskEventsTypes]
        eventClasses = values[\.maskEventsClasses]
        do throws(MaskingError) {
            masker = try Masker(policy)
            guard !eventTypes.isEmpty else {
                events = EventMasking(masker)
                return
            }
            let data = eventClasses.isEmpty ? masker : try masker.limited(to: Set(eventClasses))
            events = EventMasking(masker, dataMasker: data, types: eventTypes)
        } catch {
            throw ConfigurationError("mask: \(error)")
        }
    }

    /// The fields that want the form `hash`, which nobody has given a key.
    private static func hashes(in entries: [SectionEntry]) -> [String] {
        entries.flatMap(\.fields).filter { field in
            field.entry.text == "hash" && field.row.name.hasPrefix("mask-forms-")
                || field.entry.text == "hash" && field.key == "form"
        }.map { field in
            """
            \(field.row.name) (\(field.entry.origin)): the form hash needs a key, which keeps others \
            from finding a value by trying all that are possible; give one with \
            MILLRACE_MASK_HASH_KEY or --mask-hash-key-file
            """
        }
    }

    private static func key(
        _ values: ResolvedSettings
    ) throws(ConfigurationError) -> MaskingHashKey? {
        let text = values[\.maskHashKey]
        let path = values[\.maskHashKeyFile]
        var secret = Array(text.utf8)
        var source = values.cite(\.maskHashKey)
        if let path {
            source = values.cite(\.maskHashKeyFile)
            guard text.isEmpty else {
                throw ConfigurationError(
                    "\(source): the key is there twice; \(values.cite(\.maskHashKey)) is another")
            }
            do throws(TextFile.Failure) {
                let content = try TextFile.read(path, limitBytes: keyLimitBytes)
                secret = Array(content.utf8.reversed().drop { $0 <= 0x20 }.reversed())
            } catch {
                throw ConfigurationError("\(source): `\(path)` cannot be read: \(error.reason)")
            }
        } else if text.isEmpty {
            return nil
        }
        guard secret.count >= keyLeastBytes else {
            throw ConfigurationError(
                "\(source): the key is shorter than \(keyLeastBytes) bytes; make one with "
                    + "`openssl rand -hex 32`")
        }
        return MaskingHashKey(id: values[\.maskHashKeyID], secret: secret)
    }

    private static func classProblems(
        _ values: ResolvedSettings, _ policy: MaskingPolicy
    ) -> [String] {
        let classes = values[\.maskEventsClasses]
        guard !classes.isEmpty else { return [] }
        let source = values.cite(\.maskEventsClasses)
        if values[\.maskEventsTypes].isEmpty {
            return [
                "\(source): no event type is masked, so this says nothing; name types with "
                    + "--mask-events-types, or * for all"
            ]
        }
        let known = PIIClass.allCases.map(\.name) + policy.rules.map(\.name)
        return classes.filter { !known.contains($0) }.map { name in
            let nearest = Suggestion.nearest(to: name, among: known)
            let hint = nearest.map { "; did you mean \($0)?" } ?? ""
            return "\(source): there is no class or rule `\(name.prefix(40))`\(hint)"
        }
    }
}
