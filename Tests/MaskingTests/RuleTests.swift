import Masking
import Testing

@Suite struct RuleTests {
    private func masker(_ change: (inout MaskingRule) -> Void) throws -> Masker {
        var rule = MaskingRule(name: "customer", pattern: #"\bC-\d{6}\b"#)
        change(&rule)
        var policy = MaskingPolicy()
        policy.rules = [rule]
        return try Masker(policy)
    }

    @Test func `an own pattern is masked under its name`() throws {
        let masker = try masker { _ in }
        #expect(masker.masked("order of C-123456, XC-1234567") == "order of [CUSTOMER], XC-1234567")
        #expect(masker.counts.last.map { $0.name == "customer" && $0.count == 1 } == true)
    }

    @Test func `a rule that only detects changes nothing and counts`() throws {
        let masker = try masker { $0.form = .detect }
        #expect(masker.masked("C-123456") == "C-123456")
        #expect(masker.counts.last?.count == 1)
    }

    @Test func `context, allowed values and a validator narrow a rule`() throws {
        let near = try masker { $0.context = ["customer"] }
        #expect(near.masked("Customer C-123456") == "Customer [CUSTOMER]")
        #expect(near.masked("part C-123456") == "part C-123456")
        let allowed = try masker { $0.allowed = ["C-000000"] }
        #expect(allowed.masked("C-000000 C-000001") == "C-000000 [CUSTOMER]")
        let checked = try masker {
            $0.pattern = #"\d{6}"#
            $0.validator = .luhn
        }
        #expect(checked.masked("123455 123456") == "[CUSTOMER] 123456")
    }

    @Test func `a rule holds on its paths alone`() throws {
        let included = try masker { $0.includedPaths = ["attributes.order"] }
        let text = #"{"attributes":{"order":{"id":"C-123456"},"orders":"C-123456"}}"#
        #expect(
            included.masked(text)
                == #"{"attributes":{"order":{"id":"[CUSTOMER]"},"orders":"C-123456"}}"#)
        let excluded = try masker { $0.excludedPaths = ["attributes.order"] }
        #expect(
            excluded.masked(text)
                == #"{"attributes":{"order":{"id":"C-123456"},"orders":"[CUSTOMER]"}}"#)
    }

    @Test func `a path is of names as a reader of the JSON has them`() throws {
        let included = try masker { $0.includedPaths = ["user.order"] }
        #expect(
            included.masked(#"{"us\u0065r":{"ord\u0065r":"C-123456","b":"C-123456"}}"#)
                == #"{"us\u0065r":{"ord\u0065r":"[CUSTOMER]","b":"C-123456"}}"#)
        let excluded = try masker { $0.excludedPaths = ["user"] }
        let text = #"{"us\u0065r":"C-123456"}"#
        #expect(excluded.masked(text) == text)
    }

    @Test func `a rule holds below long keys as well, and they cost nothing for each value`() throws
    {
        let included = try masker { $0.includedPaths = ["user.order"] }
        let key = String(repeating: "k", count: 100_000)
        #expect(
            included.masked(#"{"user":{"order":{"\#(key)":"C-123456"}}}"#)
                == #"{"user":{"order":{"\#(key)":"[CUSTOMER]"}}}"#)
        // Making the path of each anew would copy 2 GB.
        let values = String(repeating: #""C-123456","#, count: 20_000) + "0"
        for key in [key, key + #"\u0065"#] {
            let text = #"{"user":{"\#(key)":[\#(values)]}}"#
            #expect(included.masked(text) == text)
        }
    }

    @Test func `wrong rules are refused with a reason that names them`() {
        for (name, pattern) in [("x", "(a"), ("x", "a*"), ("", "a"), ("a b", "a"), ("email", "a")] {
            var policy = MaskingPolicy()
            policy.rules = [MaskingRule(name: name, pattern: pattern)]
            #expect(throws: MaskingError.self) { try Masker(policy) }
        }
    }

    @Test func `a pattern that would backtrack elsewhere takes linear time`() throws {
        let masker = try masker { $0.pattern = "(a+)+b" }
        let text = String(repeating: "a", count: 200_000)
        #expect(masker.masked(text) == text)
    }
}
