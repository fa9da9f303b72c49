/// What a masker masks and how.
package struct MaskingPolicy: Sendable {
    /// By class; a class that is not named is redacted, addresses of hosts keep their network.
    package var forms: [PIIClass: MaskForm] = [.ipv4: .partial, .ipv6: .partial]
    /// Weak shapes count without context.
    package var isStrict = false
    package var rules: [MaskingRule] = []
    /// The key of the `hash` form.
    package var hashKey: MaskingHashKey?
    /// Values that are never masked, as whole matches.
    package var allowed: Set<String> = []

    package init() {}

    func form(of kind: PIIClass) -> MaskForm { forms[kind] ?? .redact }
}

/// A key for hashes and the name under which it is known, which stands in each hash so that keys
/// can be changed.
package struct MaskingHashKey: Sendable {
    /// 1 to 16 letters and digits.
    package var id: String
    package var secret: [UInt8]

    package init(id: String, secret: [UInt8]) {
        self.id = id
        self.secret = secret
    }
}

/// A rule of the operator's own.
package struct MaskingRule: Sendable {
    package enum Validator: String, Sendable, CaseIterable { case none, luhn, mod97 }

    /// In placeholders, metrics and reports; letters, digits and `_`.
    package var name: String
    /// In RE2's syntax, which has no backtracking; searched for in decoded text.
    package var pattern: String
    package var validator = Validator.none
    /// If there are any, one must stand within 30 characters before the match.
    package var context: [String] = []
    /// Paths into JSON (`attributes.user`) where the rule holds, with all below them; empty: everywhere.
    package var includedPaths: [String] = []
    package var excludedPaths: [String] = []
    /// Values that it leaves alone.
    package var allowed: Set<String> = []
    package var form = MaskForm.redact

    package init(name: String, pattern: String) {
        self.name = name
        self.pattern = pattern
    }
}

extension MaskingRule {
    /// What is wrong with a pattern, as the end of a sentence; nil if nothing is. Says nothing of
    /// texts that it was tried on.
    package static func fault(inPattern pattern: String) -> String? {
        RulePattern.fault(in: pattern)
    }

    /// Whether a rule may be called so: letters, digits and `_`, and no class has the name.
    package static func isName(_ name: String) -> Bool {
        (1...32).contains(name.utf8.count) && PIIClass(name: name) == nil
            && name.utf8.allSatisfy {
                ByteClass.table[Int($0)] & ByteClass.alphanumeric != 0 || $0 == UInt8(ascii: "_")
            }
    }
}

/// Why a policy cannot be used.
package struct MaskingError: Error, Sendable, CustomStringConvertible {
    /// Names the rule, never a value.
    package let message: String
    package var description: String { message }

    init(_ message: String) { self.message = message }
}
