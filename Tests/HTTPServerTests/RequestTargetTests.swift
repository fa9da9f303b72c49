import Primitives
import Testing

@testable import HTTPServer

@Suite struct RequestTargetTests {
    private func decode(_ text: String, plus: Bool = false) throws(TargetError) -> String {
        try decode(Array(text.utf8), plus: plus)
    }

    private func decode(_ bytes: [UInt8], plus: Bool = false) throws(TargetError) -> String {
        let outcome = bytes.withUnsafeBytes { bytes -> Result<String, TargetError> in
            Result { () throws(TargetError) in try RequestTarget.decode(bytes, plus: plus) }
        }
        return try outcome.get()
    }

    @Test(arguments: [
        ("", ""), ("abc", "abc"), ("%41", "A"), ("%41%42", "AB"), ("a%2Fb", "a/b"),
        ("%2f", "/"), ("%25", "%"), ("%2541", "%41"), ("a+b", "a+b"), ("%C3%a4", "ä"),
        ("%F0%9F%98%80", "😀"), ("%01", "\u{1}"), ("%7F", "\u{7F}"), ("ä", "ä"),
    ])
    func `undoes escapes`(_ text: String, _ value: String) throws {
        #expect(try decode(text) == value)
    }

    @Test(arguments: ["%", "%4", "%%", "%4g", "%g4", "a%", "a%4", "%+1", "% 41", "%-1"])
    func `refuses a percent sign without two digits`(_ text: String) {
        #expect(throws: TargetError.badEscape) { try decode(text) }
    }

    @Test(arguments: [
        "%00", "a%00b", "%FF", "%C3", "%C3%41", "%ED%A0%80", "%C0%80", "%F4%90%80%80",
    ])
    func `refuses zero and what is no UTF-8`(_ text: String) {
        #expect(throws: TargetError.badCharacter) { try decode(text) }
    }

    @Test func `refuses raw bytes that are no UTF-8`() {
        #expect(throws: TargetError.badCharacter) { try decode([0x61, 0xFF]) }
        #expect(throws: TargetError.badCharacter) { try decode([0]) }
    }

    @Test func `takes plus for a space in queries only`() throws {
        #expect(try decode("a+b%2B", plus: true) == "a b+")
        #expect(try decode("a+b%2B", plus: false) == "a+b+")
    }

    @Test(arguments: [
        ("", []), ("&", []), ("&&a=1&&", ["a=1"]), ("a", ["a="]), ("a=", ["a="]),
        ("=b", ["=b"]), ("a=b=c", ["a=b=c"]), ("a=1&a=2", ["a=1", "a=2"]), ("=", ["="]),
        ("a+b=c+d", ["a b=c d"]), ("a%26b=c%3Dd", ["a&b=c=d"]), ("?a=b", ["?a=b"]),
        ("a=b?c", ["a=b?c"]), ("a=b#c", ["a=b#c"]),
    ])
    func `reads parameters in their order`(_ query: String, _ expected: [String]) throws {
        let request = Request(.get, "/x?\(query)")
        #expect(try request.parameters().map { "\($0.name)=\($0.value)" } == expected)
    }

    @Test(arguments: [
        ("a", ["a"]), ("", [""]), (",", ["", ""]), ("a,b", ["a", "b"]), ("a%2Cb", ["a,b"]),
        ("a%2cb,c", ["a,b", "c"]), ("a+b,%20", ["a b", " "]), ("%2C", [","]),
    ])
    func `splits a list before it is decoded`(_ value: String, _ elements: [String]) throws {
        let parameters = try Request(.get, "/x?p=\(value)").parameters()
        #expect(parameters == [Parameter(name: "p", elements: elements)])
        #expect(parameters[0].value == elements.joined(separator: ","))
    }

    @Test func `has no parameters without a query`() throws {
        #expect(try Request(.get, "/x").parameters().isEmpty)
        #expect(try Request(.get, "/x?").parameters().isEmpty)
        let request = Request(.get, "/x/y?a/b")
        #expect(String(decoding: request.rawPath, as: UTF8.self) == "/x/y")
    }

    @Test func `limits the number of parameters`() throws {
        let most = (0..<256).map { "a\($0)=b" }.joined(separator: "&")
        #expect(try Request(.get, "/?\(most)").parameters().count == 256)
        #expect(throws: TargetError.tooManyParameters) {
            try Request(.get, "/?\(most)&x").parameters()
        }
        #expect(throws: TargetError.badEscape) { try Request(.get, "/?a=%").parameters() }
    }
}
