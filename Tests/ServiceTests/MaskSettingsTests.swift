import Masking
import Testing

@testable import Service

@Suite struct MaskSettingsTests {
    @Test func `without a word about it masking is balanced, and data of events stays`() throws {
        let masking = try Configuration.load().masking
        #expect(masking.mode == "balanced" && masking.masker.policy.rules.isEmpty)
        #expect(masking.eventTypes.isEmpty && !masking.masker.policy.isStrict)
    }

    @Test func `the section says everything about masking`() throws {
        let masking = try Configuration.load(
            environment: ["MILLRACE_MASK_HASH_KEY": "0123456789abcdef"],
            yaml: #"""
                mask:
                  mode: strict
                  hash-key-id: k7
                  allow: [support@example.com, 192.0.2.1]
                  forms: { email: hash, card: partial, private-key: drop, phone: off }
                  events: { types: [web.*, signup], classes: [email, customer] }
                  rules:
                    - name: customer
                      pattern: '\bC-\d{6}\b'
                      validator: luhn
                      context: [customer, kunde]
                      include: [attributes.user]
                      exclude: [attributes.user.id]
                      allow: [C-000000]
                      form: hash
                    - { name: badge, pattern: 'B\d+', form: detect }
                """#
        ).masking
        let policy = masking.masker.policy
        #expect(policy.isStrict && policy.allowed == ["support@example.com", "192.0.2.1"])
        #expect(policy.hashKey?.id == "k7")
        #expect(policy.hashKey?.secret == Array("0123456789abcdef".utf8))
        #expect(policy.forms[.email] == .hash && policy.forms[.card] == .partial)
        #expect(policy.forms[.privateKey] == .drop && policy.forms[.phone] == .off)
        #expect(policy.forms[.ipv4] == .partial && policy.forms[.iban] == nil)
        #expect(masking.eventTypes == ["web.*", "signup"])
        #expect(masking.eventClasses == ["email", "customer"])
        #expect(policy.rules.map(\.name) == ["badge", "customer"])
        let rule = policy.rules[1]
        #expect(rule.pattern == #"\bC-\d{6}\b"# && rule.validator == .luhn && rule.form == .hash)
        #expect(rule.context == ["customer", "kunde"] && rule.allowed == ["C-000000"])
        #expect(rule.includedPaths == ["attributes.user"])
        #expect(rule.excludedPaths == ["attributes.user.id"])
    }

    @Test func `what is wrong with a rule or a form is told with its line`() throws {
        let found = try Configuration.problems(
            yaml:
                #"""
                mask:
                  mode: lax
                  forms:
                    email: partial
                    jwt: partial
                    shoe: redact
                  rules:
                    a: { pattern: '(x' }
                    email: { pattern: x }
                    b: { form: redact }
                    c:
                      pattern: 'x*'
                      validator: sum
                      from: partial
                """#)
        let start =
            "mask-rules-a-pattern: `(x` (file FILE:8) is not a pattern of RE2 that matches some "
            + "text; what is wrong: the pattern is not understood: "
        #expect(found.count { $0.hasPrefix(start) } == 1)
        #expect(
            found.filter { !$0.hasPrefix(start) } == [
                "mask-forms-jwt: `partial` (file FILE:5) is not one of redact, hash, drop, detect, "
                    + "off",
                "mask.forms.shoe (file FILE:6): there is no such setting",
                "mask.rules.email (file FILE:9): the name of a rule is 1 to 32 letters, digits and "
                    + "_, and none of a class",
                "mask.rules.b (file FILE:10): has no pattern, so there is nothing to look for",
                "mask-rules-c-pattern: `x*` (file FILE:12) is not a pattern of RE2 that matches some "
                    + "text; what is wrong: the pattern matches nothing at all",
                "mask-rules-c-validator: `sum` (file FILE:13) is not one of none, luhn, mod97",
                "mask.rules.c.from (file FILE:14): there is no such setting; did you mean form?",
                "mask-mode: `lax` (file FILE:2) is not one of balanced, strict",
            ])
    }

    @Test func `a hash without a key is refused where it is wanted`() throws {
        let found = try Configuration.problems(
            yaml:
                "mask:\n  forms: { email: hash }\n  rules:\n    a: { pattern: x, form: hash }\n")
        #expect(found.map { String($0.prefix(40)) }.count == 2)
        #expect(found[0].hasPrefix("mask-forms-email (file FILE:2): the form hash needs a key"))
        #expect(found[1].hasPrefix("mask-rules-a-form (file FILE:4): the form hash needs a key"))
    }

    @Test func `the key comes from the environment or a file, is long enough, and never shown`()
        throws
    {
        let short = Configuration.problems(environment: ["MILLRACE_MASK_HASH_KEY": "hunter2"])
        #expect(short.count == 1 && !short[0].contains("hunter2"))
        #expect(short[0].contains("shorter than 16 bytes"))
        let file = try TemporaryFile("fedcba9876543210\n")
        try file.use { path in
            let masking = try Configuration.load(flags: ["mask-hash-key-file": path]).masking
            #expect(masking.masker.policy.hashKey?.secret == Array("fedcba9876543210".utf8))
            let both = Configuration.problems(
                flags: ["mask-hash-key-file": path],
                environment: ["MILLRACE_MASK_HASH_KEY": "0123456789abcdef"])
            #expect(both.count == 1 && both[0].contains("the key is there twice"))
        }
        let values = try SettingsResolver.resolve(
            flags: [:], environment: ["MILLRACE_MASK_HASH_KEY": "0123456789abcdef"])
        #expect(!SettingsReport.text(values).contains("0123456789abcdef"))
        let missing = Configuration.problems(flags: ["mask-hash-key-file": "/nowhere/at/all"])
        #expect(missing.count == 1 && missing[0].contains("/nowhere/at/all"))
    }

    @Test func `classes for events are known ones, and some type is masked`() throws {
        #expect(
            try Configuration.problems(
                yaml: "mask: { events: { types: ['*'], classes: [email, crad] } }") == [
                    "mask-events-classes (file FILE:1): there is no class or rule `crad`; "
                        + "did you mean card?"
                ])
        let found = try Configuration.problems(yaml: "mask: { events: { classes: [email] } }")
        #expect(found.count == 1 && found[0].contains("no event type is masked"))
    }

    @Test func `a limited masker masks what it is limited to, and counts with the other`() throws {
        let masking = try Configuration.load(
            yaml: #"""
                mask:
                  events: { types: [a], classes: [email] }
                  rules: { badge: { pattern: 'B\d+' } }
                """#
        ).masking
        let data = try masking.masker.limited(to: ["email"])
        #expect(data.policy.forms[.card] == .off && data.policy.rules[0].form == .off)
        #expect(data.policy.forms[.email] == nil, "as it is elsewhere")
    }
}
