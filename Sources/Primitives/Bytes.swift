internal import Glibc

/// Immutable bytes on the C heap, shared by reference and freed with the last one.
package final class Bytes: @unchecked Sendable {  // Nothing changes after init.
    @usableFromInline package let base: UnsafeMutableRawPointer
    package let count: Int

    /// Takes ownership of `base`, which `malloc` returned; `deinit` frees it.
    init(owning base: UnsafeMutableRawPointer, count: Int) {
        self.base = base
        self.count = count
    }

    package convenience init(_ bytes: some Collection<UInt8>) {
        var buffer = ByteBuffer(capacity: bytes.count)
        buffer.append(contentsOf: bytes)
        let (base, count) = buffer.release()
        self.init(owning: base, count: count)
    }

    package convenience init(_ text: String) { self.init(text.utf8) }

    deinit { free(base) }

    package var span: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }
    package var text: String { String(decoding: span, as: UTF8.self) }
}

/// Growing bytes with one owner: what the hot path writes into. Keeps its capacity when cleared.
package struct ByteBuffer: ~Copyable, @unchecked Sendable {  // One owner, by `~Copyable`.
    /// At least `capacity` bytes plus `padding`; valid until the next append.
    @usableFromInline package private(set) var base: UnsafeMutableRawPointer
    @usableFromInline package private(set) var count = 0
    @usableFromInline package private(set) var capacity: Int

    /// Readable bytes behind `count`, always there: simdjson reads past its input.
    package static let padding = 64

    package init(capacity: Int = 256) {
        self.capacity = max(capacity, 16)
        base = ByteBuffer.allocate(self.capacity)
    }

    deinit { free(base) }

    package var span: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }
    package var isEmpty: Bool { count == 0 }
    package var text: String { String(decoding: span, as: UTF8.self) }

    package mutating func removeAll() { count = 0 }
    package mutating func truncate(to newCount: Int) {
        precondition(newCount <= count)
        count = newCount
    }

    /// Gives back memory above `limit` bytes, so that one large request is not paid for ever.
    package mutating func shrink(above limit: Int) {
        guard capacity > limit, count <= limit else { return }
        let smaller = ByteBuffer.allocate(limit)
        memcpy(smaller, base, count)
        free(base)
        base = smaller
        capacity = limit
    }

    package mutating func reserve(_ additional: Int) {
        if count + additional > capacity { grow(to: count + additional) }
    }

    /// Makes its memory exactly `wanted` bytes, for who counts it; never less than there are.
    package mutating func reserve(capacity wanted: Int) {
        if wanted > capacity { resize(to: wanted) }
    }

    package mutating func append(_ byte: UInt8) {
        if count == capacity { grow(to: count + 1) }
        base.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count &+= 1
    }

    package mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        reserve(bytes.count)
        memcpy(base + count, source, bytes.count)
        count &+= bytes.count
    }

    /// Appends a byte, how many `bytes` there are in 32 bits, little-endian, and those.
    package mutating func append(_ byte: UInt8, counted bytes: UnsafeRawBufferPointer) {
        reserve(5 + bytes.count)
        base.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        base.storeBytes(
            of: UInt32(truncatingIfNeeded: bytes.count).littleEndian, toByteOffset: count &+ 1,
            as: UInt32.self)
        if let source = bytes.baseAddress { memcpy(base + count + 5, source, bytes.count) }
        count &+= 5 + bytes.count
    }

    package mutating func append(_ literal: StaticString) {
        append(UnsafeRawBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    package mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    package mutating func append(_ text: Substring) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    package mutating func append(contentsOf bytes: some Sequence<UInt8>) {
        let done: Void? = bytes.withContiguousStorageIfAvailable {
            append(UnsafeRawBufferPointer($0))
        }
        if done == nil { for byte in bytes { append(byte) } }
    }

    /// Appends the bytes of an integer, little-endian.
    package mutating func append(littleEndian value: UInt64) { appendBytes(of: value) }
    package mutating func append(littleEndian value: UInt32) { appendBytes(of: value) }
    package mutating func append(littleEndian value: UInt16) { appendBytes(of: value) }

    // Not `package`: generic code of another module is not specialized.
    private mutating func appendBytes<Integer: FixedWidthInteger>(of value: Integer) {
        let size = MemoryLayout<Integer>.size
        reserve(size)
        base.storeBytes(of: value.littleEndian, toByteOffset: count, as: Integer.self)
        count &+= size
    }

    /// Overwrites an integer that was appended earlier.
    package mutating func set(littleEndian value: UInt64, at offset: Int) {
        setBytes(of: value, at: offset)
    }
    package mutating func set(littleEndian value: UInt32, at offset: Int) {
        setBytes(of: value, at: offset)
    }
    package mutating func set(littleEndian value: UInt16, at offset: Int) {
        setBytes(of: value, at: offset)
    }
    package mutating func set(_ byte: UInt8, at offset: Int) { setBytes(of: byte, at: offset) }

    private mutating func setBytes<Integer: FixedWidthInteger>(of value: Integer, at offset: Int) {
        precondition(offset >= 0 && offset + MemoryLayout<Integer>.size <= count)
        base.storeBytes(of: value.littleEndian, toByteOffset: offset, as: Integer.self)
    }

    /// Appends `value` in decimal digits.
    // Inlined, so that no caller in another module pays for the generic form.
    @inlinable
    package mutating func append(decimal value: some BinaryInteger) {
        append(digitsOf: UInt64(value.magnitude), isNegative: value < 0)
    }

    @usableFromInline
    package mutating func append(digitsOf magnitude: UInt64, isNegative: Bool) {
        var digits: (UInt64, UInt64, UInt64) = (0, 0, 0)  // 24 bytes: 20 digits and a sign.
        withUnsafeMutableBytes(of: &digits) { digits in
            var rest = magnitude
            var start = digits.count
            repeat {
                start -= 1
                digits[start] = UInt8(truncatingIfNeeded: rest % 10) + 48
                rest /= 10
            } while rest > 0
            if isNegative {
                start -= 1
                digits[start] = UInt8(ascii: "-")
            }
            append(UnsafeRawBufferPointer(rebasing: digits[start...]))
        }
    }

    /// Space for at least `minimum` more bytes, for a C function to write into; then `commit`.
    package mutating func spare(_ minimum: Int) -> UnsafeMutableRawBufferPointer {
        reserve(minimum)
        return UnsafeMutableRawBufferPointer(start: base + count, count: capacity - count)
    }

    /// Counts `written` bytes of what `spare` gave as part of the buffer.
    package mutating func commit(_ written: Int) {
        precondition(written >= 0 && count + written <= capacity)
        count += written
    }

    /// Hands the bytes over without copying them.
    package consuming func freeze() -> Bytes {
        let bytes = Bytes(owning: base, count: count)
        discard self
        return bytes
    }

    /// Gives up the memory; the caller frees it.
    consuming func release() -> (base: UnsafeMutableRawPointer, count: Int) {
        let parts = (base, count)
        discard self
        return parts
    }

    private mutating func grow(to needed: Int) { resize(to: max(needed, capacity &* 2)) }

    private mutating func resize(to larger: Int) {
        guard let moved = realloc(base, larger + ByteBuffer.padding) else {
            preconditionFailure("out of memory")
        }
        base = moved
        capacity = larger
    }

    private static func allocate(_ capacity: Int) -> UnsafeMutableRawPointer {
        guard let memory = malloc(capacity + padding) else { preconditionFailure("out of memory") }
        return memory
    }
}
