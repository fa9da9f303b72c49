import Primitives

/// Comparing of entity tags (RFC 9110, section 8.8.3).
package enum EntityTag {
    /// Whether `If-None-Match` names `tag`: compared weakly, in a list, or by `*`. A list that is longer
    /// than `HeaderList.items` takes names nothing.
    /// - Parameter tag: strong, quotes included, without commas.
    package static func isKnown(_ tag: String, to request: Request) -> Bool {
        guard request.headers.first("if-none-match") != nil else { return false }
        return (request.headers.items("if-none-match") ?? []).contains { item in
            let other = item.prefix { $0 != " " && $0 != "\t" }
            return other == "*" || other == tag
                || (other.hasPrefix("W/") && other.dropFirst(2) == tag)
        }
    }
}
