import Masking
import Primitives
import Testing

private func preview(_ text: String, by masker: Masker = .standard) -> String {
    var buffer = ByteBuffer()
    let raw = Bytes(text)
    withExtendedLifetime(raw) { masker.appendPreview(of: raw.span, to: &buffer) }
    return buffer.text
}

@Suite struct PreviewTests {
    @Test(arguments: [
        (
            #"{"type":"signup","n":1.5,"ok":true,"x":null,"a":[1,"s",{"k":false}],"o":{}}"#,
            #"{"type":"signup","n":1.5,"ok":true,"x":null,"a":[1,"s",{"k":false}],"o":{}}"#
        ),
        (
            #"{"to":"ann@example.com","password":"x","n":4111111111111111,"token":7}"#,
            #"{"to":"[EMAIL]","password":"[REDACTED]","n":"[CARD]","token":"[REDACTED]"}"#
        ),
        (#"{"typ":"t","pass\u0077ord":"x"}"#, #"{"typ":"t","password":"[REDACTED]"}"#),
        (#"{"a":1,"b":2,"a":"x"}"#, #"{"a":1,"b":2}"#),
        ("\"call 203.0.113.7\"", "\"call 203.0.113.0/24\""), ("12345", "12345"), ("[]", "[]"),
        ("not json 4111111111111111", #"{"bytes":25}"#), ("{\"a\":", #"{"bytes":5}"#),
        ("", #"{"bytes":0}"#),
    ])
    func `shows a text with its values masked`(text: String, expected: String) {
        #expect(preview(text) == expected)
    }

    @Test func `cuts long names and values between characters, after they were masked`() throws {
        let name = preview("{\"" + String(repeating: "é", count: 33) + "\":1}")
        #expect(name == "{\"" + String(repeating: "é", count: 32) + "…\":1}")
        // The address ends beyond the cut.
        let filler = String(repeating: "x ", count: 28)
        #expect(preview("\"\(filler)ann@example.com y\"") == "\"\(filler)[EMAIL] …\"")
    }

    @Test func `stays within its limit and JSON for any shape`() throws {
        let control = String(repeating: "\\u0001", count: 80)
        let texts = [
            "{" + (0..<500).map { "\"k\($0)\":\"v\"" }.joined(separator: ",") + "}",
            "[" + (0..<5000).map { "\($0)" }.joined(separator: ",") + "]",
            "{" + (0..<100).map { "\"\($0)\(control)\":\"v\"" }.joined(separator: ",") + "}",
            "[" + (0..<100).map { _ in "\"\(control)\"" }.joined(separator: ",") + "]",
            (0..<31).map { "{\"\($0)\(control)\":" }.joined() + "1"
                + String(repeating: "}", count: 31),
            "["
                + (0..<300).map { _ in "[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]" }
                .joined(separator: ",") + "]",
        ]
        for text in texts {
            let shown = preview(text)
            #expect(shown.utf8.count <= Masker.previewLimitBytes)
            #expect(shown.utf8.count > 1000)
            #expect(throws: Never.self) { try JSONValue.parse(shown) }
        }
    }

    @Test func `counts what is too large or too deep`() {
        let large = "\"" + String(repeating: "x", count: 300_000) + "\""
        #expect(preview(large) == "{\"bytes\":300002}")
        let deep = String(repeating: "[", count: 40) + String(repeating: "]", count: 40)
        #expect(preview(deep) == "{\"bytes\":80}")
    }

    @Test func `a path keeps its words alone, and of them none that a rule matches`() throws {
        var policy = MaskingPolicy()
        policy.rules = [MaskingRule(name: "team", pattern: "[a-z]+-team")]
        let masker = try Masker(policy)
        func shown(_ path: String) -> String {
            var buffer = ByteBuffer()
            let bytes = Bytes(path)
            withExtendedLifetime(bytes) { masker.maskPath(bytes.span, into: &buffer) }
            return buffer.text
        }
        #expect(shown("/teams/red-team/v1") == "/teams/*/v1")
        #expect(shown("/users/ann@example.com/orders/4711") == "/users/*/orders/*")
    }
}
