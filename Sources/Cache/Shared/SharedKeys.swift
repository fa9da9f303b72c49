import Primitives

/// Names in Redis. All have a time to live, also those that count purges.
struct SharedKeys: Sendable {
    /// Changed with the form of values or of what scripts keep.
    static let prefix = "millrace:cache:1:"
    /// Entries about purges, for the other nodes to read.
    static let purges = prefix + "purges"
    /// Answers.
    static let values = prefix + "v:"
    /// How many purges there were. Begins with the time, so that one that was lost and began anew
    /// is larger than before.
    static let count = prefix + "purge-count"
    /// The count at the last purge of everything, of a tag, of a key.
    static let fences = prefix + "fences"
    /// Longer than any value lives.
    static let timeToLive = Duration.seconds(86_400)

    /// Public: whoever can choose keys that collide finds another key's bytes in the value and
    /// has a miss.
    private static let hashKey = Key128(high: 0x6D69_6C6C, low: 0x6361_6368)

    let value: String
    let lease: String
    /// Fields of the fences that concern it.
    let fences: [String]

    init(key: UnsafeRawBufferPointer, tags: [UInt64]) {
        let digits = SharedKeys.digits(key)
        value = SharedKeys.values + digits
        lease = SharedKeys.prefix + "l:" + digits
        fences = ["all", "k:" + digits] + tags.map(SharedKeys.fence)
    }

    static func fence(tag: UInt64) -> String {
        var text = ByteBuffer(capacity: 20)
        text.append("t:")
        text.append(hex: tag, digits: 16)
        return text.text
    }

    private static func digits(_ key: UnsafeRawBufferPointer) -> String {
        let hash = Key128(hashing: key, key: hashKey)
        var text = ByteBuffer(capacity: 32)
        text.append(hex: hash.high, digits: 16)
        text.append(hex: hash.low, digits: 16)
        return text.text
    }
}
