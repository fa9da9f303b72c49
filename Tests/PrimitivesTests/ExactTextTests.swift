import Primitives
import Testing

struct ExactTextTests {
    @Test func `tells apart what Swift takes for one text`() {
        let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
        #expect(composed == decomposed)
        #expect(ExactText(composed) != ExactText(decomposed))
        #expect(Set([composed, decomposed].map { ExactText($0) }).count == 2)
        #expect(ExactText(decomposed) < ExactText(composed))
        #expect(ExactText("a") == "a" && ExactText("a".dropLast()) == "")
    }

    @Test(arguments: [
        ("a,b", ["a", "b"]), ("", [""]), (",", ["", ""]), ("a,\u{301}b", ["a", "\u{301}b"]),
        ("a,,\r\n", ["a", "", "\r\n"]),
    ])
    func `splits at a byte, whatever stands behind it`(text: String, parts: [String]) {
        #expect(text.parts(by: ",").map { ExactText($0) } == parts.map { ExactText($0) })
    }

    @Test func `leaves the rest in the last part`() {
        #expect("a:b:c:d".parts(by: ":", most: 2) == ["a", "b:c:d"])
        #expect("a".parts(by: ":", most: 1) == ["a"])
    }
}

struct ParameterNameTests {
    @Test(arguments: [
        ("page_2", "page_2"), ("x-1.y", "x-1.y"), ("", "?"), ("a b", "?"), ("caf\u{E9}", "?"),
        (String(repeating: "a", count: 33), "?"), ("a=b", "?"), ("where[]", "where[]"),
        ("$top", "$top"), ("filter[a.b]", "filter[a.b]"), ("a@b.example", "?"), ("a\u{0}", "?"),
    ])
    func `shows a name only if it is built like one`(name: String, shown: String) {
        #expect(ParameterName.shown(name) == shown)
    }
}
