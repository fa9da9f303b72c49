/// The typed values beside a log message. A call of the logger hands one to its closure, which
/// adds to it; below the level the closure does not run, so its values cost nothing there:
///
///     log.warning("a sink cannot deliver") {
///         $0.add("sink", name)
///         $0.add("error", error)
///     }
///
/// Values are copied into the ring of the calling thread as they are (`LogLayout`); the back end
/// makes text of them. Of keys and messages only the address is kept, since they are constants of
/// the program. A key is added once; nothing looks for a second.
@frozen @usableFromInline
package struct LogFields {
    /// Where the next field goes; a multiple of 8.
    @usableFromInline var cursor: UnsafeMutableRawPointer
    @usableFromInline let limit: UnsafeMutableRawPointer
    /// A field found no room, so the record is dropped whole.
    @usableFromInline var isTooLarge = false

    @usableFromInline init(cursor: UnsafeMutableRawPointer, limit: UnsafeMutableRawPointer) {
        self.cursor = cursor
        self.limit = limit
    }

    @inlinable @inline(__always)
    package mutating func add(_ key: StaticString, _ value: some LogEncodable) {
        value.add(to: &self, as: key)
    }

    /// Adds what the error says of itself.
    package mutating func add(_ key: StaticString, _ error: some Error) {
        add(key, "\(error)")
    }

    /// Adds a text whose name is no constant of the program.
    mutating func add(name: String, text: String) {
        var (name, text) = (name, text)
        name.withUTF8 { name in
            text.withUTF8 { text in
                let size = 24 + LogLayout.padded(name.count) + LogLayout.padded(text.count)
                guard limit - cursor >= size else { return isTooLarge = true }
                let head = UInt64(LogLayout.Kind.named.rawValue) << 56
                cursor.storeBytes(of: head, as: UInt64.self)
                cursor.storeBytes(of: UInt64(name.count), toByteOffset: 8, as: UInt64.self)
                cursor.storeBytes(of: UInt64(text.count), toByteOffset: 16, as: UInt64.self)
                let target = UnsafeMutableRawBufferPointer(start: cursor + 24, count: size - 24)
                target.copyMemory(from: UnsafeRawBufferPointer(name))
                UnsafeMutableRawBufferPointer(
                    rebasing: target[LogLayout.padded(name.count)...]
                ).copyMemory(from: UnsafeRawBufferPointer(text))
                cursor += size
            }
        }
    }

    @inlinable @inline(__always)
    mutating func add(_ key: StaticString, _ kind: LogLayout.Kind, _ value: UInt64) {
        guard limit - cursor >= 16 else { return isTooLarge = true }
        cursor.storeBytes(of: LogLayout.head(key, kind), as: UInt64.self)
        cursor.storeBytes(of: value, toByteOffset: 8, as: UInt64.self)
        cursor += 16
    }

    /// A constant text: its address and length.
    @inlinable @inline(__always)
    mutating func add(_ key: StaticString, constant: StaticString) {
        guard limit - cursor >= 24 else { return isTooLarge = true }
        cursor.storeBytes(of: LogLayout.head(key, .constant), as: UInt64.self)
        cursor.storeBytes(
            of: UInt64(UInt(bitPattern: constant.utf8Start)), toByteOffset: 8, as: UInt64.self)
        cursor.storeBytes(
            of: UInt64(constant.utf8CodeUnitCount), toByteOffset: 16, as: UInt64.self)
        cursor += 24
    }

    /// Copies `text`: UTF-8; other bytes become U+FFFD later.
    @usableFromInline
    mutating func add(_ key: StaticString, text: UnsafeRawBufferPointer) {
        let size = LogLayout.padded(text.count)
        guard limit - cursor >= size + 16 else { return isTooLarge = true }
        cursor.storeBytes(of: LogLayout.head(key, .text), as: UInt64.self)
        cursor.storeBytes(of: UInt64(text.count), toByteOffset: 8, as: UInt64.self)
        if let base = text.baseAddress {
            (cursor + 16).copyMemory(from: base, byteCount: text.count)
        }
        cursor += 16 + size
    }
}
