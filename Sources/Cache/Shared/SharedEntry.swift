import Primitives

/// The form in which an answer lies in Redis. What is not exactly of this form, of this version and
/// with this checksum is a miss.
///
///     0  magic and version       4
///     4  purge count            16   decimal digits
///     20 order                  20   decimal digits: a larger one is fresher
///     40 set hash               16   hexadecimal digits, or dashes without a stamp
///     56 CRC-32C                 8   hexadecimal digits, of all the rest
///     64 fixed fields, key, label, tags, body
///
/// The first fields are text of fixed width, because Lua in Redis compares them: it has no integers
/// of 64 bits.
enum SharedEntry {
    static let magic: StaticString = "MRC1"
    private static let checksumOffset = 56
    private static let headerBytes = 64
    private static let fixedBytes = 68
    static let noHash = "----------------"

    private static let gzipFlag: UInt8 = 1
    private static let stampFlag: UInt8 = 2

    /// - Parameters:
    ///   - purgeCount: from before the data was read.
    ///   - wallTime: now, in milliseconds since 1970, at `now`.
    static func encode(
        _ entry: CacheEntry, purgeCount: UInt64, wallTime: Int64, now: MonotonicTime
    ) -> Bytes? {
        guard let body = entry.gzipBody ?? entry.body, entry.detail.label.utf8.count < 256,
            entry.tags.count <= UInt16.max
        else { return nil }
        var buffer = ByteBuffer(capacity: headerBytes + fixedBytes + body.count + 256)
        let computedAt = wallTime - now.since(entry.computedAt).wholeMilliseconds
        buffer.append(magic)
        buffer.append(digits: purgeCount, width: 16)
        buffer.append(order(of: entry, computedAt: computedAt))
        buffer.append(hash(of: entry.stamp))
        buffer.append("00000000")
        var flags: UInt8 = entry.gzipBody == nil ? 0 : gzipFlag
        if entry.stamp != nil { flags |= stampFlag }
        buffer.append(contentsOf: [
            flags, entry.detail.kind, entry.detail.flags, UInt8(entry.detail.label.utf8.count),
        ])
        buffer.append(littleEndian: UInt32(entry.key.count))
        buffer.append(littleEndian: UInt32(body.count))
        buffer.append(littleEndian: UInt32(entry.body?.count ?? 0))
        buffer.append(littleEndian: UInt16(entry.tags.count))
        buffer.append(littleEndian: UInt16(0))
        buffer.append(littleEndian: UInt64(bitPattern: computedAt))
        buffer.append(milliseconds: entry.freshUntil.since(entry.computedAt))
        buffer.append(milliseconds: entry.staleUntil.since(entry.freshUntil))
        buffer.append(milliseconds: entry.hardExpiry.since(entry.freshUntil))
        buffer.append(littleEndian: UInt64(max(entry.cost.wholeNanoseconds, 0)))
        buffer.append(littleEndian: UInt64(bitPattern: entry.stamp?.count ?? 0))
        buffer.append(entry.key)
        buffer.append(entry.detail.label)
        for tag in entry.tags { buffer.append(littleEndian: tag) }
        buffer.append(body.span)
        let sum = checksum(buffer.span)
        for (index, digit) in sum.enumerated() {
            buffer.set(digit, at: checksumOffset + index)
        }
        return buffer.freeze()
    }

    /// What a value from Redis says, if it is whole and of this key.
    /// - Parameter bodyLimit: more than this is not inflated.
    static func decode(
        _ value: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer, bodyLimit: Int
    ) -> SharedAnswer? {
        guard value.count >= headerBytes + fixedBytes, value.starts(with: magic.bytes),
            checksum(value).elementsEqual(value[checksumOffset..<headerBytes])
        else { return nil }
        var reader = FieldReader(value, from: headerBytes)
        let (flags, kind) = (reader.byte(), reader.byte())
        let (detailFlags, labelCount) = (reader.byte(), Int(reader.byte()))
        let (keyCount, bodyCount) = (Int(reader.uint32()), Int(reader.uint32()))
        let plainCount = Int(reader.uint32())
        let tagCount = Int(reader.uint32() & 0xFFFF)
        let computedAt = Int64(bitPattern: reader.uint64())
        let lifetime = CacheLifetime(
            fresh: reader.duration(), staleWhileRevalidate: reader.duration(),
            staleIfError: reader.duration())
        let (cost, count) = (reader.uint64(), Int64(bitPattern: reader.uint64()))
        guard plainCount <= bodyLimit, let itsKey = reader.bytes(keyCount),
            itsKey.elementsEqual(key), let label = reader.bytes(labelCount),
            let tags = reader.integers(tagCount), let body = reader.bytes(bodyCount),
            reader.isAtEnd
        else { return nil }
        var content = CacheContent(body: Bytes(""))
        guard let bodies = bodies(body, plainCount, isGzip: flags & gzipFlag != 0) else {
            return nil
        }
        (content.body, content.gzipBody) = bodies
        content.detail = CacheDetail(
            kind: kind, flags: detailFlags, label: String(decoding: label, as: UTF8.self))
        content.tags = tags
        content.cost = .nanoseconds(Int64(clamping: cost))
        if flags & stampFlag != 0 {
            guard let hash = UInt64(String(decoding: value[40..<56], as: UTF8.self), radix: 16)
            else { return nil }
            content.stamp = GenerationStamp(count: count, setHash: hash)
        }
        return SharedAnswer(content: content, lifetime: lifetime, computedAt: computedAt)
    }

    /// A set hash as Lua compares it.
    static func hash(of stamp: GenerationStamp?) -> String {
        guard let stamp else { return noHash }
        var text = ByteBuffer(capacity: 16)
        text.append(hex: stamp.setHash, digits: 16)
        return text.text
    }

    /// Which of two answers is fresher: that of the node that has seen more, or, without
    /// generations, the one computed later.
    static func order(of entry: CacheEntry, computedAt: Int64) -> String {
        var text = ByteBuffer(capacity: 20)
        text.append(digits: UInt64(max(entry.stamp?.count ?? computedAt, 0)), width: 20)
        return text.text
    }

    private static func bodies(
        _ stored: UnsafeRawBufferPointer, _ plainCount: Int, isGzip: Bool
    ) -> (Bytes, Bytes?)? {
        guard isGzip else { return stored.count == plainCount ? (Bytes(stored), nil) : nil }
        var plain = ByteBuffer(capacity: plainCount)
        do throws(InflateError) {
            // The checksum has been right, so the ratio is our own compressor's.
            try Inflate.inflate(
                stored, .gzip, limits: Inflate.Limits(outputBytes: plainCount, ratio: 2000),
                into: &plain)
        } catch {
            return nil
        }
        return plain.count == plainCount ? (plain.freeze(), Bytes(stored)) : nil
    }

    private static func checksum(_ value: UnsafeRawBufferPointer) -> [UInt8] {
        let head = crc32c(UnsafeRawBufferPointer(rebasing: value[..<checksumOffset]))
        let sum = crc32c(UnsafeRawBufferPointer(rebasing: value[headerBytes...]), seed: head)
        var text = ByteBuffer(capacity: 8)
        text.append(hex: UInt64(sum), digits: 8)
        return Array(text.span)
    }
}

/// An answer that another node has left in Redis.
struct SharedAnswer: Sendable {
    var content: CacheContent
    var lifetime: CacheLifetime
    /// Milliseconds since 1970, by the other node's clock.
    var computedAt: Int64
}

/// Reads fields one after the other, as long as there are any.
private struct FieldReader {
    private let value: UnsafeRawBufferPointer
    private var place: Int

    init(_ value: UnsafeRawBufferPointer, from place: Int) {
        self.value = value
        self.place = place
    }

    var isAtEnd: Bool { place == value.count }

    mutating func byte() -> UInt8 { integer() }
    mutating func uint32() -> UInt32 { integer() }
    mutating func uint64() -> UInt64 { integer() }
    mutating func duration() -> Duration { .milliseconds(Int64(clamping: uint64())) }

    mutating func bytes(_ count: Int) -> UnsafeRawBufferPointer? {
        guard count >= 0, count <= value.count - place else { return nil }
        defer { place += count }
        return UnsafeRawBufferPointer(rebasing: value[place..<place + count])
    }

    mutating func integers(_ count: Int) -> [UInt64]? {
        guard count * 8 <= value.count - place else { return nil }
        return (0..<count).map { _ in uint64() }
    }

    /// Zero beyond the end; the caller has looked at the length of what is fixed.
    private mutating func integer<Integer: FixedWidthInteger>() -> Integer {
        let size = MemoryLayout<Integer>.size
        guard size <= value.count - place else { return 0 }
        defer { place += size }
        return Integer(littleEndian: value.loadUnaligned(fromByteOffset: place, as: Integer.self))
    }
}

extension StaticString {
    fileprivate var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: utf8Start, count: utf8CodeUnitCount)
    }
}

extension ByteBuffer {
    fileprivate mutating func append(milliseconds duration: Duration) {
        append(littleEndian: UInt64(max(duration.wholeMilliseconds, 0)))
    }

    /// In decimal, with zeros in front.
    mutating func append(digits value: UInt64, width: Int) {
        let text = String(value)
        for _ in 0..<max(width - text.utf8.count, 0) { append(UInt8(ascii: "0")) }
        append(text)
    }
}
