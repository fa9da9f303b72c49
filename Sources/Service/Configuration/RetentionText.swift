import Storage

/// Ages of events or logs as people write them: `90d`, `off`, or by type or service
/// `90d,http.*=7d,order.*=off`.
///
/// In a file they may be a mapping: `retention: { default: 90d, "http.*": 7d }`.
enum RetentionText {
    /// What a mapping calls the age of all other types.
    static let standardName = "default"
    private static let ruleLimit = 100

    /// - Parameter least: the shortest age.
    static func age(_ least: Duration) -> ValueForm<Duration?> {
        .durationOrOff(least...(.seconds(86_400 * 36_500)))
    }

    /// Nil for anything that is no such text.
    static func parse(_ text: String, least: Duration = .seconds(1)) -> RetentionPolicy? {
        let age = age(least)
        var policy = RetentionPolicy()
        var hasStandard = false
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let part = String(part.drop { $0 == " " })
            // A type may hold the sign itself.
            guard let sign = part.lastIndex(of: "=") else {
                guard !hasStandard, let age = age.parse(part) else { return nil }
                policy.standard = age
                hasStandard = true
                continue
            }
            let type = String(part[..<sign])
            guard let age = age.parse(String(part[part.index(after: sign)...])),
                isPattern(type), !policy.rules.contains(where: { $0.type == type })
            else { return nil }
            policy.rules.append(RetentionPolicy.Rule(type: type, age: age))
        }
        return policy.rules.count <= ruleLimit ? policy : nil
    }

    private static func isPattern(_ type: String) -> Bool {
        (1...255).contains(type.utf8.count) && !type.dropLast().contains("*")
    }

    /// The text that `parse` reads back as the same policy.
    static func format(_ policy: RetentionPolicy) -> String {
        let rules = policy.rules.map { "\($0.type)=\(text($0.age))" }
        return ([text(policy.standard)] + rules).joined(separator: ",")
    }

    private static func text(_ age: Duration?) -> String { age.map(DurationText.format) ?? "off" }
}

extension ValueForm where Value == RetentionPolicy {
    /// An age, or ages by event type.
    static var retention: ValueForm { ages(.seconds(1), by: "type", "90d,http.*=7d") }

    /// An age, or ages by service.
    static var logsRetention: ValueForm { ages(.seconds(3600), by: "service", "30d,noisy=2d") }

    private static func ages(_ least: Duration, by name: String, _ example: String) -> ValueForm {
        let form = RetentionText.age(least)
        return ValueForm(
            placeholder: form.placeholder,
            expectation: "\(form.expectation), nor a comma list of one and of \(name)=age, such as "
                + example,
            parse: { RetentionText.parse($0, least: least) })
    }
}
