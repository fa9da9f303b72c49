import Masking
import Primitives
import Testing

/// What must hold for any text: made of pieces that look like something, from a seed that is printed.
@Suite struct MaskingPropertyTests {
    static let pieces: [String] =
        MaskingCorpus.samples.flatMap { $0.values + $0.nearMisses }
        + [
            " ", "  ", "\n", "\t", "\"", "'", "\\", "{", "}", "[", "]", ":", ",", "=", "&", "?",
            "@",
            "%40", "%", "\\u0040", "\\\"", "ä", "🙂", "１２", "＠", "\u{200B}", "\u{FEFF}", "x",
            "password", "token", "[EMAIL]", "[REDACTED]", "[CARD]", "://", "-", "+", "(", ")", "/",
            "eyJ", "Bearer ", "Basic ", "-----BEGIN ", "null", "0", "12", "1234", "...", "::",
            "\\\\\\\"", "\\u0022", "\\\\u0022", "%22", "%5C", "password\":", "\"token\":[", "://a:",
            "Some(\"",
        ]

    private static func text(_ random: inout SeededGenerator) -> String {
        (0..<Int.random(in: 1...12, using: &random)).map { _ in
            pieces.randomElement(using: &random) ?? ""
        }.joined(separator: Bool.random(using: &random) ? "" : " ")
    }

    @Test func `masking twice changes nothing`() {
        var random = SeededGenerator()
        for _ in 0..<20_000 {
            let text = Self.text(&random)
            let once = Masker.standard.masked(text)
            let twice = Masker.standard.masked(once)
            if once != twice {
                Issue.record("seed \(random.seed): \(text)\n once: \(once)\n twice: \(twice)")
                return
            }
        }
    }

    @Test(arguments: [
        #"b"password":"ab\"c"@example.com10.0.0.abc"#, #"b"password":"ab\"c"@example.com"#,
        #"token=ann@example.com-x"#, #"password: 4111 1111 1111 1111 and on"#,
    ])
    func `a value that is a match too is masked once`(text: String) {
        let once = Masker.standard.masked(text)
        #expect(once != text && Masker.standard.masked(once) == once)
    }

    /// The label of a private key ends within 60 bytes, at the first hyphen: with a match in it, it begins
    /// a key once the match is replaced.
    @Test(arguments: [
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlc2lnbmF0dXJl",
        "a-b@example.com", "12345678901234567890123456789012345678901234567890 ann@example.com",
        "+49 30 90-18-20", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln\n",
    ])
    func `a match within the label of a private key hides no key`(match: String) {
        let text = "-----BEGIN \(match) PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----\nend"
        let once = Masker.standard.masked(text)
        #expect(Masker.standard.masked(once) == once)
        #expect(!once.contains(match), "\(once)")
    }

    /// The length of a masked network's prefix begins no address, however many colons follow it.
    @Test(arguments: [3, 9, 40, 200])
    func `colons in a row are masked once`(count: Int) throws {
        var policy = MaskingPolicy()
        policy.isStrict = true
        let strict = try Masker(policy)
        for masker in [Masker.standard, strict] {
            for head in ["49", "2001:db8", "fe80", ""] {
                let text = "\(head)\(String(repeating: ":", count: count)) and 1:2"
                let once = masker.masked(text)
                #expect(masker.masked(once) == once)
            }
        }
        #expect(
            strict.masked("from 49:: and 2001:db8::7/48") == "from 49:0:0::/48 and 2001:db8:0::/48")
    }

    @Test func `JSON stays JSON with the same shape`() throws {
        var random = SeededGenerator()
        for _ in 0..<5_000 {
            var json = ByteBuffer()
            json.append("{\"a\":")
            json.append(jsonString: Self.text(&random))
            json.append(",")
            json.append(jsonString: Self.text(&random))
            json.append(":[1,true,null,4111111111111111,")
            json.append(jsonString: "{\"k\":\"v\"}" + Self.text(&random))
            json.append("]}")
            let masked = Masker.standard.masked(json.text)
            do {
                let value = try JSONValue.parse(masked)
                guard case .object(let members) = value, members.count == 2 else {
                    Issue.record("seed \(random.seed): \(masked)")
                    return
                }
            } catch {
                Issue.record("seed \(random.seed): \(error): \(json.text)\n\(masked)")
                return
            }
        }
    }

    @Test func `a secret is found wherever it stands among other text`() {
        var random = SeededGenerator()
        let secrets = ["zoe@example.org", "4012888888881881", "GB82WEST12345698765432"]
        for _ in 0..<10_000 {
            // White space around it: glued to other text it may rightly be something else.
            let secret = secrets.randomElement(using: &random) ?? ""
            let text = Self.text(&random) + " \n " + secret + " \n " + Self.text(&random)
            let masked = Masker.standard.masked(text, as: .text)
            if masked.contains(secret) {
                Issue.record("seed \(random.seed): \(text)\n\(masked)")
                return
            }
        }
    }

    @Test(arguments: [
        "@", "a@", "eyJ", "1", "1 ", "12-", "+1", ":", "::", "a:", "=", "password=", "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----", "://a:", "%40", "\\u0040", "Bearer ", "1.", "1.1.1.1", "[",
        "{\"a\":", "\"", "\\\"", "sk-", "4111 ", "＠", "\u{200B}", "token:", "token: a",
        "password:[",
        "password:[\"", "\\\\", "\\\\\":", "password=\\", "\\u0022", "\\\\u0022", "%5C%22",
        "password:(", "://a@",
        "\"password\":[]", "token:[", "Some(\"", "password=b'", "a.", "password.",
        "SG.-----.", "glpat------.", "ghs_-----.", "SG.", "xoxe.", "ghs_.", "bearer -----",
        "x:2001:", "x@[IPv6:", "::/1:", "sk-.", "authorization: ", "a/1.1.1.1",
    ])
    func `hostile repetition takes linear time`(_ piece: String) {
        // A quadratic check would take minutes for half a megabyte.
        let text = String(repeating: piece, count: 500_000 / piece.utf8.count)
        let masked = Masker.standard.masked(text)
        #expect(!masked.isEmpty)
    }
}

/// A generator whose seed can be printed and set.
struct SeededGenerator: RandomNumberGenerator {
    let seed: UInt64
    private var state: UInt64

    init(seed: UInt64 = UInt64.random(in: 0 ... .max)) {
        self.seed = seed
        state = seed
    }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
