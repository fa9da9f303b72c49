import Events
import Primitives
import Testing

private func preview(_ text: String) -> String {
    let raw = padded(text)
    var buffer = ByteBuffer()
    MaskedPreview.append(raw.span, to: &buffer)
    return buffer.text
}

struct MaskedPreviewTests {
    @Test(arguments: [
        (
            #"{"type":"signup","n":1.5,"ok":true,"x":null,"a":[1,"s",{"k":false}],"o":{}}"#,
            #"{"type":"string","n":"number","ok":"boolean","x":null,"a":["number","string",{"k":"boolean"}],"o":{}}"#
        ),
        (#"{"a":1,"b":2,"a":"x"}"#, #"{"a":"number","b":"number"}"#),
        ("\"secret\"", "\"string\""), ("12345", "\"number\""), ("[]", "[]"),
        ("not json 4111111111111111", #"{"bytes":25}"#), ("{\"a\":", #"{"bytes":5}"#),
        ("", #"{"bytes":0}"#),
    ])
    func `shows shape and keys without values`(text: String, expected: String) {
        #expect(preview(text) == expected)
    }

    @Test func `cuts long keys between characters`() throws {
        let text = preview("{\"" + String(repeating: "é", count: 33) + "\":1}")
        #expect(text == "{\"" + String(repeating: "é", count: 32) + "…\":\"number\"}")
    }

    @Test func `stays within its limit and JSON for any shape`() throws {
        let control = String(repeating: "\\u0001", count: 80)
        let texts = [
            "{" + (0..<500).map { "\"k\($0)\":\"v\"" }.joined(separator: ",") + "}",
            "[" + (0..<5000).map { "\($0)" }.joined(separator: ",") + "]",
            "{" + (0..<100).map { "\"\($0)\(control)\":\"v\"" }.joined(separator: ",") + "}",
            (0..<31).map { "{\"\($0)\(control)\":" }.joined() + "1"
                + String(repeating: "}", count: 31),
            "["
                + (0..<300).map { _ in "[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]" }
                .joined(separator: ",") + "]",
        ]
        for text in texts {
            let shown = preview(text)
            #expect(shown.utf8.count <= MaskedPreview.limitBytes)
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
}
