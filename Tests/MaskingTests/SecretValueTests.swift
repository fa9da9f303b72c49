import Masking
import Primitives
import Testing

/// How far a secret value reaches, wherever it stands: in a line of its own, in JSON within strings as deep
/// as anybody nests it, behind a prefix, and cut short.
@Suite struct SecretValueTests {
    /// `LEAK` is secret in each.
    static let texts = [
        // The name is escaped or disguised.
        #"{"pass\u0077ord":"LEAK"}"#, #"{"\u0070\u0061\u0073\u0073word":["LEAK"]}"#,
        "{\"pass\u{200B}word\":\"LEAK\"}", "{\"\u{FF50}assword\":\"LEAK\"}",
        #"{"pass%77ord":"LEAK"}"#, #"{"c":"{\"pass\\u0077ord\":\"LEAK\"}"}"#,
        "{\"password\"     :\"LEAK\"}",
        // Brackets.
        #"{"password":["LEAK"]}"#, #"{"password":{"new":"LEAK"}}"#, #"{"password":[["a"],"LEAK"]}"#,
        #"{"token":["LEAK"]}"#, #"{"password":["]","LEAK"]}"#,
        #"{"password":{"a":"\"}","b":"LEAK"}}"#,
        #"{"cookies": {"sid": "LEAK", "n": [1, 2]}}"#, "{ password: [ 'it', 'LEAK' ], user: 'x' }",
        "password=(\"x\", \"LEAK\")",
        // Quotes.
        #"{"password":"ab\"LEAK"}"#, #"{"password":"ab\\\"LEAK"}"#,
        #"{"password":"ab\\","secret":"LEAK"}"#,
        #"{"password":"\"LEAK\"","a":1}"#, #"x \'password\': \'LEAK\'"#,
        "{'password': 'it\\'s LEAK'}",
        #"{'a': '{\\"password\\": \\"ab\\\\\\"LEAK\\"}'} x"#,
        #"{\u0022password\u0022:\u0022ab\\u0022LEAK\u0022}"#,
        #"\u0041 {\u0022password\u0022:\u0022ab\\u0022LEAK\u0022}"#,
        "q=%7B%22password%22%3A%22ab%5C%22LEAK%22%7D",
        // What languages print.
        #"Config { password: Some("LEAK") }"#, #"password: Optional("LEAK")"#,
        "{'password': b'LEAK'}",
        "{'password': u'LEAK'}", "Config(password=b'LEAK')",
        // Backslashes that are the value's own.
        #"password=ab\LEAK"#, #"password=ab\/LEAK"#, #"password: DOMAIN\LEAK"#,
        // Columns.
        "password:\tLEAK", "password:          LEAK", "password           = LEAK",
        #"authorization: Digest username="a", response="LEAK""#, #"Cookie: a="b\"c"; d=LEAK"#,
        // URLs, with another escape before.
        "postgres://app:pa@LEAK@db/x", "postgres://app:pa%40LEAK@db/x",
        "%41 postgres://app:pa%2FLEAK@db/x", "%41 postgres://app:pa%40LEAK@db/x",
        "GET /a%20b?password=my%20LEAK HTTP", "GET /a%20b?password=my%26LEAK&x=1",
        "%41 x password=\"a%22LEAK\"", "%41 authorization: Digest a%22LEAK",
        // Names of many words.
        #"{"spring.cloud.config.server.git.repos.main.http.basic.password":"LEAK"}"#,
        "spring.cloud.config.server.git.repos.main.http.basic.password=LEAK",
        "myAppUserSettingsDbMainConnStringPassword=LEAK", "my.service.state.db.password=LEAK",
        "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.password=LEAK",
    ]

    private static func nested(_ text: String, _ levels: Int) -> String {
        var text = text
        for _ in 0..<levels {
            var json = ByteBuffer()
            json.append("{\"a\":")
            json.append(jsonString: text)
            json.append(",\"b\":1}")
            text = json.text
        }
        return text
    }

    @Test(arguments: texts)
    func `no part of a secret value is left, however deep it is nested`(_ text: String) {
        for levels in 0...7 {
            let nested = Self.nested(text, levels)
            let cut = nested.dropLast(2 * levels + 2)
            for whole in [nested, "request body: \(nested)", "sent \(cut)", String(cut)] {
                guard whole.contains("LEAK") else { continue }
                for reading in [Masker.Reading.line, .text] {
                    let once = Masker.standard.masked(whole, as: reading)
                    #expect(!once.contains("LEAK"), "\(levels) levels, \(whole)\n\(once)")
                    #expect(Masker.standard.masked(once, as: reading) == once)
                }
            }
        }
    }

    @Test(arguments: [
        (
            #"request body: {"password":["LEAK"],"user":"ann"}"#,
            #"request body: {"password":[REDACTED],"user":"ann"}"#
        ),
        (
            #"body {"password":{"new":"a","old":["b"]},"n":1}"#,
            #"body {"password":[REDACTED],"n":1}"#
        ),
        (
            #"sent {"payload":"{\"password\":\"ab\\\"c\",\"x\":1}"}"#,
            #"sent {"payload":"{\"password\":\"[REDACTED]\",\"x\":1}"}"#
        ),
        (
            #"sent {"payload":"{\"password\":\"ab\\\\\",\"x\":1}"}"#,
            #"sent {"payload":"{\"password\":\"[REDACTED]\",\"x\":1}"}"#
        ),
        (
            #"sent {"payload":"{\"password\":[1","x":2}"#,
            #"sent {"payload":"{\"password\":[REDACTED]","x":2}"#
        ),
        (
            #"x \\\"password\\\":\\\"a\\\",\\\"b\\\""#,
            #"x \\\"password\\\":\\\"[REDACTED]\\\",\\\"b\\\""#
        ),
        ("postgres://app:pa@b@db/x, y@z", "postgres://[REDACTED]@db/x, y@z"),
        (#"Config { password: Some("a"), port: 1 }"#, "Config { password: [REDACTED]), port: 1 }"),
        (#"{"pass\u0077ord":"a","b":1}"#, #"{"pass\u0077ord":"[REDACTED]","b":1}"#),
        ("GET /a%20b?password=a%26b&x=1", "GET /a%20b?password=[REDACTED]&x=1"),
    ])
    func `what stands around a secret value stays`(text: String, expected: String) {
        #expect(Masker.standard.masked(text) == expected)
    }

    @Test(arguments: [
        "token: [see the manual]", "password: []", #"x "secrets": {}, "a": 1"#, "password.length=8",
        "users.password.policy=strict", "gen_ai.usage.tokens=7", "https://a/b@c@d",
        "password: \"\"",
        #"{"cookies": [ ]} x"#, "pin (left)",
    ])
    func `what is about a secret, or empty, stays`(_ text: String) {
        #expect(Masker.standard.masked(text) == text)
    }

    @Test(arguments: [" ", "                    ", "\t", "\n", "\r\n  "])
    func `white space between a name and its colon changes nothing`(_ space: String) {
        let text = "{\"a\":1,\"password\"\(space):\"LEAK\"}"
        #expect(Masker.standard.masked(text) == text.replacing("LEAK", with: "[REDACTED]"))
    }

    @Test func `a byte order mark before JSON changes nothing`() {
        let masked = Masker.standard.masked("\u{FEFF}{\"pin\":1234,\"a\":5}")
        #expect(masked == "\u{FEFF}{\"pin\":\"[REDACTED]\",\"a\":5}")
    }

    @Test func `a value in brackets that never end is cut between characters`() {
        let text = "password: [" + String(repeating: "é", count: 5000)
        let masked = Masker.standard.masked(text)
        #expect(masked.hasPrefix("password: [REDACTED]é"))
        let offset = Array(masked.utf8).withUnsafeBytes { JSONSyntax.utf8ErrorOffset(in: $0) }
        #expect(offset == nil)
    }
}
