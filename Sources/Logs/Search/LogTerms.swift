import Primitives

/// What `q` asks for: words that must all be there, `"several words"` one after the other, `begin*`
/// for words that begin so.
///
/// FTS5's query language never sees what a user wrote: each term goes in as a quoted string, in
/// which nothing but the quote has a meaning. A term in which the tokenizer finds no word would
/// constrain nothing there, so it is looked for in the text itself.
package struct LogTerms: Sendable, Equatable {
    struct Term: Sendable, Equatable {
        /// As it is indexed: see `LogWords`.
        var text: String
        var isPrefix = false
        /// Has no word in it: found by looking at the text.
        var isLiteral: Bool
    }

    /// In one question.
    package static let limit = 128

    let terms: [Term]

    /// - Returns: nil without any term, or with too many.
    package init?(_ text: String) {
        var terms: [Term] = []
        var rest = Substring(text)
        while let first = rest.first {
            if first.isWhitespace {
                rest.removeFirst()
                continue
            }
            let isQuoted = first == "\""
            if isQuoted { rest.removeFirst() }
            let end = rest.firstIndex { isQuoted ? $0 == "\"" : $0.isWhitespace || $0 == "\"" }
            let found = rest[..<(end ?? rest.endIndex)]
            rest = end.map { rest[$0...] } ?? ""
            if isQuoted, rest.first == "\"" { rest.removeFirst() }
            var isPrefix = !isQuoted && found.count > 1 && found.last == "*"
            let word = isPrefix ? found.dropLast() : found
            // A quoted term may be told to be a beginning as well: "connection res"*.
            if isQuoted, rest.first == "*" {
                rest.removeFirst()
                isPrefix = true
            }
            guard !word.allSatisfy(\.isWhitespace) else { continue }
            terms.append(LogTerms.term(word, isPrefix: isPrefix))
        }
        guard !terms.isEmpty, terms.count <= LogTerms.limit else { return nil }
        self.terms = terms
    }

    private static func term(_ word: Substring, isPrefix: Bool) -> Term {
        let isLiteral = !word.unicodeScalars.contains(where: isTokenScalar)
        if isLiteral { return Term(text: String(word), isLiteral: true) }
        var separated = ByteBuffer(capacity: 64)
        let bytes = Bytes(word.utf8)
        LogWords.append(plain: bytes.span, to: &separated)
        withExtendedLifetime(bytes) {}
        return Term(text: separated.text, isPrefix: isPrefix, isLiteral: false)
    }

    /// What `unicode61` takes into tokens: letters, numbers and private use.
    static func isTokenScalar(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
            .decimalNumber, .letterNumber, .otherNumber, .privateUse:
            true
        default: false
        }
    }

    /// The terms that have words, as an FTS5 query (sqlite.org/fts5.html, section 3).
    var match: [String] {
        terms.filter { !$0.isLiteral }.map { term in
            // A zero byte would end the query.
            let text = term.text.filter { $0 != "\0" }.replacing("\"", with: "\"\"")
            return "\"\(text)\"" + (term.isPrefix ? " *" : "")
        }
    }

    /// The terms that have none.
    var literals: [String] { terms.filter(\.isLiteral).map(\.text) }
}
