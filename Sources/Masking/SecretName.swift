/// Judges the name of a value, word by word: `apiKey`, `X-Api-Key` and `api_key` are the same words,
/// and `monkey`, `tokenizer` or `max_tokens` are no secrets.
package enum SecretName {
    package enum Strength: Sendable { case none, weak, strong }

    /// A longer name is judged by its last bytes.
    static let limitBytes = 64

    enum Role: UInt8 {
        /// Secret wherever it stands.
        case strong
        /// Secret unless a word of quantity stands beside it.
        case weak
        /// Secret alone, or beside words that only qualify it.
        case alone
        /// Makes a secret of a following `key`.
        case beforeKey
        case key
        /// Says that the value is about a secret and not the secret.
        case about
        case qualifier
        /// Secret as the name of a query's parameter.
        case inURL
    }

    /// - Parameters:
    ///   - name: without JSON's escapes. Its disguises are seen through; other bytes than ASCII
    ///     separate words.
    ///   - inURL: the name is a query's parameter, where `key` and `sig` alone are secrets.
    package static func strength(_ name: UnsafeRawBufferPointer, inURL: Bool = false) -> Strength {
        // In a URL fewer words make a secret.
        guard inURL || mayBeSecret(name) else { return .none }
        guard let plain = FoldedText.undisguised(name) else { return judge(name, inURL: inURL) }
        return plain.withUnsafeBytes { judge($0, inURL: inURL) }
    }

    private static func judge(_ name: UnsafeRawBufferPointer, inURL: Bool) -> Strength {
        let words = Words(name)
        var result = Strength.none
        /// The segment of the last word that is secret wherever it stands.
        var strongSegment = 0
        for index in 0..<words.count {
            switch words.roles[index] {
            case .strong:
                result = .strong
                strongSegment = words.segments[index]
            case .weak: if result == .none { result = .weak }
            case .alone: if words.areQualifiers, result == .none { result = .weak }
            case .key:
                let before = index > 0 ? words.roles[index - 1] : nil
                if before == .beforeKey || before == .weak || before == .strong {
                    result = .strong
                    strongSegment = words.segments[index]
                } else if inURL, words.count == 1, result == .none {
                    result = .weak
                }
            case .inURL: if inURL, result == .none { result = .weak }
            case .about, .beforeKey, .qualifier, nil: break
            }
        }
        // `password.length` is about a password, `state.password` is one.
        let from = result == .strong ? strongSegment : 0
        let isAbout = (0..<words.count).contains {
            words.roles[$0] == .about && words.segments[$0] >= from
        }
        return isAbout ? .none : result
    }

    /// The words of a name by their roles.
    private struct Words {
        /// All that `limitBytes` hold: a word has a letter, and another byte or a small letter stands
        /// between it and the next.
        private static let limit = 32

        var roles: [32 of Role?] = .init(repeating: nil)
        /// For each the count of dots and brackets before it, which part a path.
        var segments: [32 of Int] = .init(repeating: 0)
        var count = 0
        private var hasUnknown = false

        init(_ name: UnsafeRawBufferPointer) {
            eachWord(name) { hash, segment in
                guard count < Words.limit else { return }
                roles[count] = words.role(of: hash)
                if roles[count] == nil { hasUnknown = true }
                segments[count] = segment
                count += 1
            }
        }

        /// Whether no word is more than a qualifier of one that is secret alone.
        var areQualifiers: Bool {
            guard !hasUnknown else { return false }
            return (0..<count).allSatisfy {
                roles[$0] == .alone || roles[$0] == .qualifier || roles[$0] == .key
            }
        }
    }

    /// Header fields whose value is the rest of the line.
    static func takesLine(_ name: UnsafeRawBufferPointer) -> Bool {
        var isLine = false
        eachWord(name) { hash, _ in
            if lineWords.contains(hash) { isLine = true }
        }
        return isLine
    }

    private static let lineWords: Set<UInt64> = [hash("authorization"), hash("cookie")]

    /// Calls `body` with a hash of each word in lower case, and how many dots and brackets stand before.
    private static func eachWord(_ name: UnsafeRawBufferPointer, _ body: (UInt64, Int) -> Void) {
        let bytes = UnsafeRawBufferPointer(rebasing: name.suffix(limitBytes))
        var hash = offsetBasis
        var length = 0
        var segment = 0
        var wasLower = false
        var placeholderEnd = 0
        for index in bytes.indices where index >= placeholderEnd {
            let byte = bytes[index]
            if byte == UInt8(ascii: "["), let end = endOfPlaceholder(bytes, index) {
                placeholderEnd = end
            }
            let isUpper = byte &- 0x41 < 26
            let isLower = byte &- 0x61 < 26
            let isDigit = byte &- 0x30 < 10
            // A hump begins where a capital follows a small letter, and at the last capital of a
            // run (`APIKey`).
            let nextIsLower = index + 1 < bytes.count && bytes[index + 1] &- 0x61 < 26
            let isHump =
                isUpper && (wasLower || (length > 0 && nextIsLower && !isFirst(index, bytes)))
            if !(isUpper || isLower || isDigit) || isHump {
                if length > 0 { body(hash, segment) }
                hash = offsetBasis
                length = 0
                if byte == 0x2E || byte == 0x5B || byte == 0x5D { segment += 1 }
            }
            if isUpper || isLower {
                hash = (hash ^ UInt64(byte | 0x20)) &* prime
                length += 1
            }
            wasLower = isLower
        }
        if length > 0 { body(hash, segment) }
    }

    /// One after `[TOKEN]` or `[TOKEN:k1:…]`, which an earlier pass left and which says nothing of what
    /// the name names.
    private static func endOfPlaceholder(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Int? {
        var end = start + 1
        while end < bytes.count, bytes[end] &- 0x41 < 26 || bytes[end] == 0x5F { end += 1 }
        guard end > start + 1, end < bytes.count else { return nil }
        if bytes[end] == UInt8(ascii: "]") { return end + 1 }
        guard bytes[end] == 0x3A else { return nil }
        let close = bytes[end...].firstIndex(of: UInt8(ascii: "]"))
        return close.map { $0 + 1 }
    }

    /// Whether the byte before is no capital letter.
    private static func isFirst(_ index: Int, _ bytes: UnsafeRawBufferPointer) -> Bool {
        index == 0 || bytes[index - 1] &- 0x41 >= 26
    }

    // FNV-1a of 64 bits: words are compared by it, since a lookup must not make a String.
    private static let offsetBasis: UInt64 = 0xCBF2_9CE4_8422_2325
    private static let prime: UInt64 = 0x100_0000_01B3

    private static func hash(_ word: some StringProtocol) -> UInt64 {
        word.utf8.reduce(offsetBasis) { ($0 ^ UInt64($1)) &* prime }
    }

    /// Words by their hash, in a table that is never changed: a lookup is one or two reads.
    private struct WordTable: Sendable {
        private static let slots = 1024
        private var hashes = [UInt64](repeating: 0, count: slots)
        private var roles = [Role?](repeating: nil, count: slots)

        mutating func set(_ hash: UInt64, _ role: Role) {
            var slot = Int(truncatingIfNeeded: hash >> 32) & (WordTable.slots - 1)
            while roles[slot] != nil {
                // The first role of a word holds.
                if hashes[slot] == hash { return }
                slot = (slot + 1) & (WordTable.slots - 1)
            }
            hashes[slot] = hash
            roles[slot] = role
        }

        func role(of hash: UInt64) -> Role? {
            var slot = Int(truncatingIfNeeded: hash >> 32) & (WordTable.slots - 1)
            while let role = roles[slot] {
                if hashes[slot] == hash { return role }
                slot = (slot + 1) & (WordTable.slots - 1)
            }
            return nil
        }
    }

    /// Words by what they say; the first role of a word holds.
    static let lists: [(Role, String)] = [
        (
            .strong,
            """
            password passwd pwd passphrase passcode secret secrets authorization cookie cookies \
            csrf xsrf ssn cvv cvc cvn credential credentials apikey accesskey secretkey \
            privatekey clientsecret authtoken accesstoken refreshtoken idtoken setcookie \
            passwort kennwort contrasena motdepasse
            """
        ),
        (.weak, "token tokens jwt bearer otp totp sessionid sessid jsessionid phpsessid sid"),
        (.alone, "pin card auth session cc pan creditcard cardnumber pincode"),
        (.beforeKey, "api access private signing encryption master hmac ssh shared service"),
        (.key, "key keys"),
        (
            .about,
            """
            count counts max min limit limits length len size total num type types kind brand \
            name names expires expiry exp expiration ttl duration timeout policy policies enabled \
            disabled required valid invalid verified status state changed updated created at \
            usage used remaining cost price per rate prompt completion budget index version \
            format strength consent domain path samesite secure age field fields attempts \
            attempt failures failed hint seconds minutes days
            """
        ),
        (
            .qualifier,
            """
            credit debit number no nr code user my x http value header id customer payment sim \
            new old current auth
            """
        ),
        (.inURL, "sig signature code"),
    ]

    private static let words: WordTable = {
        var table = WordTable()
        for (role, words) in lists {
            for word in words.split(whereSeparator: \.isWhitespace) { table.set(hash(word), role) }
        }
        return table
    }()
}
