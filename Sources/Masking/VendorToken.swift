/// How the tokens of a vendor look. Their lengths grow over the years, so only the least is asked.
struct VendorToken: Sendable {
    enum Alphabet: Sendable { case word, base64URL, dotted, awsID, hex }

    let prefix: StaticString
    let minimum: Int
    let alphabet: Alphabet
    /// Words with hyphens have none.
    var needsDigit = false
    /// The byte before the mark that ends the prefix.
    let last: UInt8

    init(_ prefix: StaticString, _ minimum: Int, _ alphabet: Alphabet, needsDigit: Bool = false) {
        self.prefix = prefix
        self.minimum = minimum
        self.alphabet = alphabet
        self.needsDigit = needsDigit
        last = prefix.utf8CodeUnitCount > 1 ? prefix.utf8Start[prefix.utf8CodeUnitCount - 2] : 0
    }

    @inline(__always)
    func accepts(_ text: ScanText, _ index: Int) -> Bool {
        switch alphabet {
        case .word: text.isIn(ByteClass.alphanumeric, index) || text[index] == 0x5F
        case .base64URL: text.isIn(ByteClass.base64URL, index)
        case .dotted: text.isIn(ByteClass.base64URL, index) || text[index] == 0x2E
        case .awsID: text.isIn(ByteClass.upper, index) || (0x32...0x37).contains(text[index])
        case .hex: text.isIn(ByteClass.hex, index)
        }
    }

    static let google = VendorToken("AIza", 35, .base64URL)
    static let aws = [
        VendorToken("AKIA", 16, .awsID), VendorToken("ASIA", 16, .awsID),
    ]

    /// Those of `marked` by the byte before the mark, so that most marks cost one look.
    static let byLast: [[VendorToken]] = (0..<256).map { byte in
        marked.filter { $0.last == UInt8(byte) }
    }

    /// Those whose prefix ends in `_`, `-` or `.`.
    static let marked: [VendorToken] = [
        // GitHub: classic, OAuth, user, server, refresh, fine-grained.
        VendorToken("ghp_", 36, .word), VendorToken("gho_", 36, .word),
        VendorToken("ghu_", 36, .word), VendorToken("ghs_", 36, .dotted),
        VendorToken("ghr_", 36, .word), VendorToken("github_pat_", 22, .word),
        // GitLab.
        VendorToken("glpat-", 20, .dotted), VendorToken("gldt-", 20, .dotted),
        VendorToken("glrt-", 20, .dotted), VendorToken("gloas-", 20, .dotted),
        VendorToken("glptt-", 20, .dotted), VendorToken("glcbt-", 20, .dotted),
        // Slack.
        VendorToken("xoxb-", 10, .base64URL, needsDigit: true),
        VendorToken("xoxp-", 10, .base64URL, needsDigit: true),
        VendorToken("xoxa-", 10, .base64URL, needsDigit: true),
        VendorToken("xoxr-", 10, .base64URL, needsDigit: true),
        VendorToken("xoxs-", 10, .base64URL, needsDigit: true),
        VendorToken("xoxe-", 10, .base64URL, needsDigit: true),
        VendorToken("xoxe.", 10, .base64URL, needsDigit: true),
        VendorToken("xapp-", 10, .base64URL, needsDigit: true),
        // Stripe.
        VendorToken("sk_live_", 16, .word), VendorToken("sk_test_", 16, .word),
        VendorToken("rk_live_", 16, .word), VendorToken("rk_test_", 16, .word),
        VendorToken("sk_org_", 16, .word), VendorToken("whsec_", 24, .word),
        // OpenAI, Anthropic and others with their form.
        VendorToken("sk-", 20, .base64URL, needsDigit: true),
        // Google OAuth, SendGrid, npm, PyPI, Hugging Face, DigitalOcean, Shopify.
        VendorToken("GOCSPX-", 20, .base64URL), VendorToken("ya29.", 20, .base64URL),
        VendorToken("SG.", 40, .dotted), VendorToken("npm_", 36, .word),
        VendorToken("pypi-", 40, .base64URL, needsDigit: true),
        VendorToken("hf_", 30, .word), VendorToken("dop_v1_", 40, .hex),
        VendorToken("shpat_", 32, .hex), VendorToken("shpss_", 32, .hex),
        // This service.
        VendorToken("mr_", 40, .base64URL),
    ]
}
