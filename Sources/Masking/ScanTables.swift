internal import CMaskScan

/// What the first stage of a scan knows: words and beginnings of tokens, made of the lists that the
/// checks use, so that it stops wherever a check could accept something.
enum ScanTables {
    /// Lives as long as the process. Nothing writes to it after it is made, so any thread may read it.
    nonisolated(unsafe) static let shared: OpaquePointer = {
        guard let tables = millrace_mask_tables_create() else {
            fatalError("no memory for the tables of masking")
        }
        for (role, words) in SecretName.lists {
            guard let meaning = role.meaning else { continue }
            add(words, meaning, to: tables)
        }
        add(Scanner.phoneWords, MILLRACE_WORD_PHONE, to: tables)
        add(Scanner.cardWords, MILLRACE_WORD_CARD, to: tables)
        for form in VendorToken.marked {
            form.prefix.withUTF8Buffer { prefix in
                prefix.withMemoryRebound(to: CChar.self) {
                    millrace_mask_add_prefix(tables, $0.baseAddress, $0.count)
                }
            }
        }
        return tables
    }()

    private static func add(_ words: String, _ meaning: Int, to tables: OpaquePointer) {
        for word in words.split(whereSeparator: \.isWhitespace) {
            String(word).withCString {
                millrace_mask_add_word(tables, $0, word.utf8.count, UInt8(meaning))
            }
        }
    }
}

extension SecretName.Role {
    /// Nil for words that make no secret of a name.
    fileprivate var meaning: Int? {
        switch self {
        case .strong, .weak, .alone: MILLRACE_WORD_SECRET
        case .key: MILLRACE_WORD_KEY
        case .inURL: MILLRACE_WORD_URL
        case .beforeKey, .about, .qualifier: nil
        }
    }
}

extension ScanText {
    /// The first index from `from` on at which a check has to look; `count` if there is none.
    /// - Parameters:
    ///   - isJSON: also stops at escapes and at names of members that are not plain.
    ///   - isFolded: it is a copy without disguises.
    ///   - hasDoubt: set if a shape was passed over for what does not stand before it.
    func nextSuspect(
        from: Int, isJSON: Bool = false, isFolded: Bool = false, _ hasDoubt: inout Bool
    ) -> Int {
        millrace_mask_next(ScanTables.shared, base, count, from, isJSON, isFolded, &hasDoubt)
    }

    /// Whether a word of that meaning stands in the 30 bytes before `index`.
    func hasPhoneWord(before index: Int) -> Bool { hasWord(before: index, MILLRACE_WORD_PHONE) }
    func hasCardWord(before index: Int) -> Bool { hasWord(before: index, MILLRACE_WORD_CARD) }

    private func hasWord(before index: Int, _ meaning: Int) -> Bool {
        millrace_mask_has_word(ScanTables.shared, base, count, index, UInt8(meaning))
    }

    /// Whether there is nothing in the text that a check has to look at.
    /// - Parameter isJSON: of a text that is no JSON no more than that is said either.
    func isOrdinary(isJSON: Bool) -> Bool {
        var hasDoubt = false
        return nextSuspect(from: 0, isJSON: isJSON, &hasDoubt) == count
    }
}

extension SecretName {
    /// Whether the name may be a secret's; false is certain.
    static func mayBeSecret(_ name: UnsafeRawBufferPointer) -> Bool {
        guard let base = name.baseAddress else { return false }
        return millrace_mask_may_be_secret(
            ScanTables.shared, base.assumingMemoryBound(to: UInt8.self), name.count)
    }
}
