import Primitives

/// Patterns that an operator has excluded from reports (`--insights-ignore`).
package enum InsightExemption: Hashable, Sendable {
    /// A fingerprint as reports have it.
    case fingerprint(UInt64)
    /// All questions of a key.
    case caller(String)
    /// All questions to a named query.
    case named(String)

    package static let rule =
        "a comma list of fingerprints (16 hexadecimal digits), key:NAME and query:NAME"

    /// Nil for a text that is none of them.
    package init?(_ text: String) {
        if text.hasPrefix("key:"), text.utf8.count > 4 {
            self = .caller(String(text.dropFirst(4)))
        } else if text.hasPrefix("query:"), text.utf8.count > 6 {
            self = .named(String(text.dropFirst(6)))
        } else if text.utf8.count == 16, let fingerprint = UInt64(text, radix: 16) {
            self = .fingerprint(fingerprint)
        } else {
            return nil
        }
    }

    func covers(_ fingerprint: UInt64, _ path: String, _ caller: String) -> Bool {
        switch self {
        case .fingerprint(let known): known == fingerprint
        case .caller(let name): name == caller
        case .named(let name): path == "/query/named/" + name
        }
    }
}
