import Primitives
import Storage
import TestSupport
import Testing

@Suite struct URIReferenceTests {
    @Test(arguments: [
        "/", "web-1", "urn:a:b", "mailto:a@b.example", "../x?y=z",
        "https://u:p@h.example:8443/a/b;c=1?q=/?#f/?", "https://[2001:db8::1]/", "//host/x",
        "a/b:c",
        "1-555-123-4567", "%41", "?q", "#f", "a:", "a://", "x+y.z-1:p", "//h:", "~_.!$&'()*+,;=@",
    ])
    func `a URI reference stays as it is`(text: String) {
        #expect(URIReference.encoded(text) == text)
        #expect(URIReference.origins(of: text).first == text)
    }

    @Test(arguments: [
        ("web 1", "web%201"), ("caf\u{E9}", "caf%C3%A9"), ("10.0.0.1:80", "10.0.0.1%3A80"),
        (":a", "%3Aa"), ("a b:c/d:e", "a%20b%3Ac/d:e"), ("%", "%25"), ("%4", "%254"),
        ("%zz", "%25zz"), ("a#b#c", "a#b%23c"), ("a[b]", "a%5Bb%5D"), ("\"\\", "%22%5C"),
        ("//h:x/", "//h%3Ax/"), ("//a@b@c", "//a%40b@c"), ("//[zz]:1", "//%5Bzz%5D:1"),
        ("//[::1]x", "//%5B%3A%3A1%5Dx"), ("https://a b/", "https://a%20b/"), ("{x}", "%7Bx%7D"),
    ])
    func `what is none is percent-encoded, and found again by either text`(
        text: String, encoded: String
    ) {
        #expect(URIReference.encoded(text) == encoded)
        #expect(URIReference.origins(of: text) == [text])
    }

    @Test func `encoding what is encoded changes nothing`() {
        var random = SeededGenerator.printingSeed("URI references")
        let characters = Array("ab1:/?#[]@%20 \u{E9}.-+\"|")
        for _ in 0..<20_000 {
            let text = String(
                (0..<Int.random(in: 1...12, using: &random)).map { _ in
                    characters.randomElement(using: &random) ?? "a"
                })
            let encoded = URIReference.encoded(text)
            #expect(URIReference.encoded(encoded) == encoded, "\(text)")
            if !text.contains("%") { #expect(URIReference.origins(of: encoded).contains(text)) }
        }
    }
}
