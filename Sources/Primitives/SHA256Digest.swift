internal import CCrypto

/// A SHA-256 sum (FIPS 180-4), or a keyed one (HMAC, RFC 2104): 32 bytes, computed by libcrypto.
package struct SHA256Digest: Equatable, Sendable {
    /// The sum, as four words of eight bytes in their order in memory.
    package let words: (UInt64, UInt64, UInt64, UInt64)

    /// The sum of `bytes`. Costs about half a microsecond for 64 bytes. Any thread.
    package init(of bytes: UnsafeRawBufferPointer) {
        words = SHA256Digest.filled { sum in
            EVP_Digest(bytes.baseAddress, bytes.count, sum, nil, EVP_sha256(), nil) == 1
        }
    }

    /// The sum of `bytes` under the key `key`, HMAC-SHA256. Any thread.
    package init(of bytes: UnsafeRawBufferPointer, key: [UInt8]) {
        words = key.withUnsafeBufferPointer { key in
            SHA256Digest.filled { sum in
                HMAC(
                    EVP_sha256(), key.baseAddress, Int32(key.count),
                    bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count, sum, nil) != nil
            }
        }
    }

    /// The sum that these 32 bytes are; nil for another number of bytes.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        words = bytes.withUnsafeBytes { bytes in
            func word(_ index: Int) -> UInt64 {
                bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self)
            }
            return (word(0), word(1), word(2), word(3))
        }
    }

    /// Takes the same time wherever the two differ.
    package static func == (a: SHA256Digest, b: SHA256Digest) -> Bool {
        (a.words.0 ^ b.words.0) | (a.words.1 ^ b.words.1) | (a.words.2 ^ b.words.2)
            | (a.words.3 ^ b.words.3) == 0
    }

    /// Lends the 32 bytes of the sum; they are valid within `body`.
    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withUnsafeBytes(of: words, body)
    }

    /// libcrypto fails here only where memory has run out, after which nothing else would work.
    private static func filled(
        _ compute: (UnsafeMutablePointer<UInt8>) -> Bool
    ) -> (UInt64, UInt64, UInt64, UInt64) {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        let isComputed = withUnsafeMutableBytes(of: &words) { bytes in
            guard let sum = bytes.bindMemory(to: UInt8.self).baseAddress else { return false }
            return compute(sum)
        }
        precondition(isComputed, "libcrypto has no memory for a SHA-256 sum")
        return words
    }
}
