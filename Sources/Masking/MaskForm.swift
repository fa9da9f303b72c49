/// What becomes of a match.
package enum MaskForm: Sendable, Equatable {
    /// A placeholder, `[EMAIL]`.
    case redact
    /// What is left says a little: a card's last four digits, an address's network.
    case partial
    /// A keyed hash, so that equal values can still be joined. Needs a key.
    case hash
    /// Nothing is left of it.
    case drop
    /// It stays and is counted: for trying a rule out.
    case detect
    /// Not looked for.
    case off

    package init?(name: String) {
        switch name {
        case "redact": self = .redact
        case "partial": self = .partial
        case "hash": self = .hash
        case "drop": self = .drop
        case "detect": self = .detect
        case "off": self = .off
        default: return nil
        }
    }

    package static let names = ["redact", "partial", "hash", "drop", "detect", "off"]
}
