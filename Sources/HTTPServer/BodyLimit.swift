/// How large a body a route takes.
package enum BodyLimit: Sendable {
    /// The route has no use for a body. A small one is read and thrown away, since some clients send
    /// one with every POST; a larger one is refused.
    case none
    /// The server's limit.
    case standard
    /// This many bytes, or the server's limit if that is less.
    case bytes(Int)

    /// Of a body that nobody reads.
    package static let ignoredBytes = 16 << 10

    func bytes(serverLimit: Int) -> Int {
        switch self {
        case .none: min(BodyLimit.ignoredBytes, serverLimit)
        case .standard: serverLimit
        case .bytes(let count): min(count, serverLimit)
        }
    }

    var isKept: Bool { if case .none = self { false } else { true } }
}
