/// Makes UUIDs of version 7 (RFC 9562, section 5.7): ordered by time, so that keys made one after
/// the other lie side by side in an index.
///
/// Not thread-safe: each thread has its own. Within a millisecond a 12-bit counter (section 6.2,
/// method 1) keeps them in order; two generators differ in 62 random bits.
package struct UUIDv7Generator: Sendable {
    private var lastMilliseconds: UInt64 = 0
    private var counter: UInt64 = 0
    /// Seeded by the system's generator.
    private var random = SeededRandom(seed: .random(in: .min ... .max))

    package init() {}

    /// The next id. `milliseconds` since 1970; a clock that went back is not followed.
    package mutating func next(milliseconds: Int64) -> Key128 {
        let now = max(UInt64(max(0, milliseconds)), lastMilliseconds)
        if now == lastMilliseconds {
            counter += 1
        } else {
            lastMilliseconds = now
            counter = random.next() & 0x7FF
        }
        if counter > 0xFFF {  // More than 2,048 in one millisecond: borrow from the next.
            lastMilliseconds += 1
            counter = 0
        }
        return Key128(
            high: lastMilliseconds << 16 | 0x7000 | counter,
            low: random.next() >> 2 | 0x8000_0000_0000_0000)
    }
}

extension ByteBuffer {
    /// Appends the 36 characters of a UUID (RFC 9562, section 4).
    package mutating func append(uuid: Key128) {
        append(hex: uuid.high >> 32, digits: 8)
        append(UInt8(ascii: "-"))
        append(hex: uuid.high >> 16 & 0xFFFF, digits: 4)
        append(UInt8(ascii: "-"))
        append(hex: uuid.high & 0xFFFF, digits: 4)
        append(UInt8(ascii: "-"))
        append(hex: uuid.low >> 48, digits: 4)
        append(UInt8(ascii: "-"))
        append(hex: uuid.low & 0xFFFF_FFFF_FFFF, digits: 12)
    }

    /// Appends the lowest `digits` hexadecimal digits of `value`.
    package mutating func append(hex value: UInt64, digits: Int) {
        let space = spare(digits)
        var rest = value
        var position = digits
        while position > 0 {
            position &-= 1
            space[position] = hexDigit(UInt8(truncatingIfNeeded: rest & 15))
            rest >>= 4
        }
        commit(digits)
    }
}
