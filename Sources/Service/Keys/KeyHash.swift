internal import Crypto

/// The SHA-256 of a key: all that is kept of it.
///
/// A key has 256 random bits, so one fast hash is enough: there is nothing to guess that a slow hash
/// would protect.
struct KeyHash: Hashable, Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// Costs about half a microsecond. swift-crypto takes bytes without Foundation's types.
    init(of key: UnsafeRawBufferPointer) {
        var sum = SHA256()
        sum.update(bufferPointer: key)
        words = sum.finalize().withUnsafeBytes { KeyHash.words($0) }
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
        guard bytes.count == 32 else { return nil }
        words = bytes.withUnsafeBytes { KeyHash.words($0) }
    }

    /// 64 lower-case hexadecimal digits.
    var hex: String {
        withUnsafeBytes(of: words) { bytes in
            let digits = Array("0123456789abcdef".utf8)
            let text = bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
            return String(decoding: text, as: UTF8.self)
        }
    }

    /// Takes the same time wherever the two differ.
    static func == (a: KeyHash, b: KeyHash) -> Bool {
        (a.words.0 ^ b.words.0) | (a.words.1 ^ b.words.1) | (a.words.2 ^ b.words.2)
            | (a.words.3 ^ b.words.3) == 0
    }

    /// The first bits are as random as any; Swift's own hashing mixes them with a secret.
    func hash(into hasher: inout Hasher) { hasher.combine(words.0) }

    private static func words(
        _ bytes: UnsafeRawBufferPointer
    ) -> (UInt64, UInt64, UInt64, UInt64) {
        func word(_ index: Int) -> UInt64 {
            bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self)
        }
        return (word(0), word(1), word(2), word(3))
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
