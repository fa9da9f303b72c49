internal import CPlatform

/// CRC-32C (Castagnoli, RFC 3720 B.4) of `bytes`, continued from `seed`.
package func crc32c(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
    millrace_crc32c(seed, bytes.baseAddress, bytes.count)
}

/// 16 bytes that stand for an event's identity.
package struct Key128: Hashable, Sendable {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// SipHash-2-4-128 under a secret key: nobody outside can make two inputs collide.
    package init(hashing bytes: UnsafeRawBufferPointer, key: Key128) {
        var out = Key128(high: 0, low: 0)
        withUnsafeBytes(of: key) { key in
            withUnsafeMutableBytes(of: &out) { out in
                guard let key = key.baseAddress, let out = out.baseAddress else { return }
                millrace_siphash128(
                    key.assumingMemoryBound(to: UInt8.self), bytes.baseAddress, bytes.count,
                    out.assumingMemoryBound(to: UInt8.self))
            }
        }
        self = out
    }
}

/// SipHash-1-3-128 under a secret key: nobody outside can choose keys that share a slot of a
/// table, or find two that share a hash, so it can stand for an input within this process.
package func keyedHash128(_ bytes: UnsafeRawBufferPointer, key: Key128) -> Key128 {
    let hash = millrace_siphash13_128(key.high, key.low, bytes.baseAddress, bytes.count)
    return Key128(high: hash.high, low: hash.low)
}
