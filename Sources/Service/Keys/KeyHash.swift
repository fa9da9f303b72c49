import Primitives

/// The SHA-256 of a key: all that is kept of it.
///
/// A key has 256 random bits, so one fast hash is enough: there is nothing to guess that a slow hash
/// would protect.
struct KeyHash: Hashable, Sendable {
    private let digest: SHA256Digest

    /// Costs about half a microsecond.
    init(of key: UnsafeRawBufferPointer) {
        digest = SHA256Digest(of: key)
    }

    /// From 64 hexadecimal digits; nil for anything else.
    init?(hex text: String) {
        var bytes: [UInt8] = []
        var digits = text.utf8.makeIterator()
        while let first = digits.next() {
            guard let second = digits.next(), let high = KeyHash.value(first),
                let low = KeyHash.value(second)
            else { return nil }
            bytes.append(high << 4 | low)
        }
        guard let digest = SHA256Digest(bytes: bytes) else { return nil }
        self.digest = digest
    }

    /// 64 lower-case hexadecimal digits.
    var hex: String {
        digest.withBytes { bytes in
            let digits = Array("0123456789abcdef".utf8)
            let text = bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
            return String(decoding: text, as: UTF8.self)
        }
    }

    /// Takes the same time wherever the two differ.
    static func == (a: KeyHash, b: KeyHash) -> Bool { a.digest == b.digest }

    /// The first bits are as random as any; Swift's own hashing mixes them with a secret.
    func hash(into hasher: inout Hasher) { hasher.combine(digest.words.0) }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
