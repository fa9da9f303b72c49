import Primitives

/// A key as its owner sees it, once.
struct NewKey {
    /// Scanners of repositories and logs look for such a beginning.
    static let prefix = "mr_"
    /// The longest text that is looked at as a key; longer ones are unknown without being hashed.
    static let limitBytes = 256

    /// `mr_` and 43 characters that stand for 256 random bits.
    let text: String

    /// From the system's random source (`getrandom`).
    init() {
        var source = SystemRandomNumberGenerator()
        let words = (0..<4).map { _ in source.next() as UInt64 }
        text = NewKey.prefix + words.withUnsafeBytes { Base64URL.encode($0) }
    }

    var hash: KeyHash {
        var text = text
        return text.withUTF8 { KeyHash(of: UnsafeRawBufferPointer($0)) }
    }
}
