/// Judges the name of a value, word by word: `apiKey`, `X-Api-Key` and `api_key` are the same words,
/// and `monkey`, `tokenizer` or `max_tokens` are no secrets.
package enum SecretName {
    package enum Strength: Sendable { case none, weak, strong }

    /// A longer name is judged by its last bytes.
    static let limitBytes = 64
    private static let wordLimit = 8

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
    ///   - name: ASCII; other bytes separate words.
    ///   - inURL: the name is a query's parameter, where `key` and `sig` alone are secrets.
    package static func strength(_ name: UnsafeRawBufferPointer, inURL: Bool = false) -> Strength {
        // In a URL fewer words make a secret.
        guard inURL || mayBeSecret(name) else { return .none }
        var roles: [8 of Role?] = .init(repeating: nil)
        var count = 0
        var hasUnknown = false
        eachWord(name) { hash in
            let role = words.role(of: hash)
            if role == nil { hasUnknown = true }
            if count < wordLimit {
                roles[count] = role
                count += 1
            }
        }
        var isAbout = false
        var result = Strength.none
        for index in 0..<count {
            switch roles[index] {
            case .about: isAbout = true
            case .strong: result = .strong
            case .weak: if result == .none { result = .weak }
            case .alone:
                if !hasUnknown, onlyQualified(roles, count), result == .none { result = .weak }
            case .key:
                if index > 0,
                    roles[index - 1] == .beforeKey || roles[index - 1] == .weak
                        || roles[index - 1] == .strong
                {
                    result = .strong
                } else if inURL, count == 1, result == .none {
                    result = .weak
                }
            case .inURL: if inURL, result == .none { result = .weak }
            case .beforeKey, .qualifier, nil: break
            }
        }
        return isAbout ? .none : result
    }

    private static func onlyQualified(_ roles: [8 of Role?], _ count: Int) -> Bool {
        for index in 0..<count {
            guard let role = roles[index], role == .alone || role == .qualifier || role == .key
            else { return false }
        }
        return true
    }

    /// Header fields whose value is the rest of the line.
    static func takesLine(_ name: UnsafeRawBufferPointer) -> Bool {
        var isLine = false
        eachWord(name) { hash in
            if lineWords.contains(hash) { isLine = true }
        }
        return isLine
    }

    private static let lineWords: Set<UInt64> = [hash("authorization"), hash("cookie")]

    /// Calls `body` with a hash of each word in lower case.
    private static func eachWord(_ name: UnsafeRawBufferPointer, _ body: (UInt64) -> Void) {
        let bytes = UnsafeRawBufferPointer(rebasing: name.suffix(limitBytes))
        var hash = offsetBasis
        var length = 0
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
                if length > 0 { body(hash) }
                hash = offsetBasis
                length = 0
            }
            if isUpper || isLower {
                hash = (hash ^ UInt64(byte | 0x20)) &* prime
                length += 1
            }
            wasLower = isLower
        }
        if length > 0 { body(hash) }
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
