import Masking
import Primitives
import Testing

@Suite struct MaskerTests {
    @Test func `a text without personal data stays as it is`() {
        let text = "2026-11-29T10:00:00.123Z INFO GET /cart 200 in 12.5 ms, trace 4bf92f3577b34da6"
        #expect(Masker.standard.masked(text) == text)
    }

    @Test func `what is around a match keeps its bytes`() {
        let masked = Masker.standard.masked("é ann@example.com, 4111 1111 1111 1111; ü")
        #expect(masked == "é [EMAIL], [CARD]; ü")
    }

    @Test func `an address keeps its network`() {
        let masked = Masker.standard.masked(
            "83.149.9.216 and 2001:db8:85a3::8a2e:370:7334, 10.1.2.3:80")
        #expect(masked == "83.149.9.0/24 and 2001:db8:85a3::/48, 10.1.2.0/24:80")
    }

    @Test
    func `JSON is masked at any depth, in keys, in strings with escapes and in JSON in strings`() {
        let text = #"""
            {"a":[{"b":"x \u0061nn@example.com\n"}],"ann@example.com":1,"s":"{\"password\":\"p\"}"}
            """#
        #expect(
            Masker.standard.masked(text) == #"""
                {"a":[{"b":"x [EMAIL]\n"}],"[EMAIL]":1,"s":"{\"password\":\"[REDACTED]\"}"}
                """#)
    }

    @Test func `below a secret name every string and number goes`() {
        let text = #"{"password":"a","token":5,"auth":{"user":"x","ok":true},"pin":[1,null]}"#
        #expect(
            Masker.standard.masked(text)
                == #"{"password":"[REDACTED]","token":"[REDACTED]","auth":{"user":"[REDACTED]","ok":true},"#
                + #""pin":["[REDACTED]",null]}"#)
    }

    @Test(arguments: [
        "spring.cloud.config.server.git.repos.main.http.basic.password",
        "myAppUserSettingsDbMainConnStringPassword", "my.service.state.db.password",
        "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.password",
    ])
    func `a name of many words is secret by its last ones`(_ name: String) {
        #expect(Masker.standard.masked("{\"\(name)\":\"x\"}") == "{\"\(name)\":\"[REDACTED]\"}")
        #expect(Masker.standard.masked("\(name)=x") == "\(name)=[REDACTED]")
        for about in ["\(name).length", "\(name)_min_length", "\(name)Policy"] {
            #expect(Masker.standard.masked("\(about)=x") == "\(about)=x")
        }
    }

    @Test func `a card's number as a number becomes a string`() {
        #expect(Masker.standard.masked(#"{"n":4111111111111111}"#) == #"{"n":"[CARD]"}"#)
    }

    @Test func `what is no JSON is masked as text`() {
        #expect(Masker.standard.masked(#"{"a":"ann@example.com""#) == #"{"a":"[EMAIL]""#)
        #expect(Masker.standard.masked("[203.0.113.7]") == "[203.0.113.0/24]")
        #expect(Masker.standard.masked("{ann@example.com}") == "{[EMAIL]}")
    }

    @Test func `a quote in a secret does not end it`() {
        #expect(
            Masker.standard.masked(#"{"password":"foo\"bar"}"#) == #"{"password":"[REDACTED]"}"#)
        #expect(
            Masker.standard.masked(#"x password="foo\"bar" y"#) == #"x password="[REDACTED]" y"#)
    }

    @Test func `a value under a secret name of a record is masked as a whole`() {
        var output = ByteBuffer()
        let value = Bytes("anything at all")
        let name = Bytes("X-Api-Key")
        withExtendedLifetime((value, name)) {
            _ = Masker.standard.mask(value.span, named: name.span, into: &output)
        }
        #expect(output.text == "[REDACTED]")
    }

    @Test func `each form leaves what it says`() throws {
        var policy = MaskingPolicy()
        policy.hashKey = MaskingHashKey(id: "k1", secret: Array("secret".utf8))
        policy.forms = [
            .email: .hash, .card: .partial, .ssn: .drop, .phone: .detect, .iban: .off,
            .ipv4: .redact,
        ]
        let masker = try Masker(policy)
        let first = masker.masked("ann@example.com")
        #expect(first.hasPrefix("[EMAIL:k1:") && first == masker.masked("ann@example.com"))
        #expect(first != masker.masked("bob@example.com"))
        #expect(masker.masked("4111111111111111") == "***1111")
        #expect(masker.masked("a 123-45-6789 b") == "a  b")
        #expect(masker.masked("+49 30 901820") == "+49 30 901820")
        #expect(masker.masked("DE89370400440532013000") == "DE89370400440532013000")
        #expect(masker.masked("8.8.8.8") == "[IP]")
        let counts = Dictionary(uniqueKeysWithValues: masker.counts.map { ($0.name, $0.count) })
        #expect(counts["phone"] == 1 && counts["iban"] == 0 && counts["email"] == 3)
    }

    @Test func `a hash without a key is refused`() {
        var policy = MaskingPolicy()
        policy.forms[.email] = .hash
        #expect(throws: MaskingError.self) { try Masker(policy) }
    }

    @Test func `an allowed value stays`() throws {
        var policy = MaskingPolicy()
        policy.allowed = ["support@example.com"]
        let masker = try Masker(policy)
        #expect(masker.masked("support@example.com, a@b.io") == "support@example.com, [EMAIL]")
    }

    @Test func `an explanation says where and why and never what`() {
        let text = Bytes(#"{"user":{"mail":"ann@example.com"}}"#)
        var lines: [String] = []
        withExtendedLifetime(text) {
            Masker.standard.explain(text.span, as: .line) { finding, path, form in
                lines.append("\(path) \(finding.start)-\(finding.end) \(finding.reason) \(form)")
            }
        }
        #expect(lines == ["user.mail 17-32 address grammar redact"])
    }
}
