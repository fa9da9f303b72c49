import Primitives

/// What a log record can hold: integers, reals, truth values, text, bytes of text, durations.
/// A type of a room's own conforms by adding itself as one of these.
@usableFromInline
package protocol LogEncodable {
    func add(to fields: inout LogFields, as key: StaticString)
}

extension Int: LogEncodable {
    @inlinable @inline(__always)
    package func add(to fields: inout LogFields, as key: StaticString) {
        fields.add(key, .integer, UInt64(bitPattern: Int64(self)))
    }
}

extension Int32: LogEncodable {
    @inlinable @inline(__always)
    package func add(to fields: inout LogFields, as key: StaticString) {
        fields.add(key, .integer, UInt64(bitPattern: Int64(self)))
    }
}

extension Int64: LogEncodable {
    @inlinable @inline(__always)
    package func add(to fields: inout LogFields, as key: StaticString) {
        fields.add(key, .integer, UInt64(bitPattern: Int64(self)))
    }
}

extension UInt16: LogEncodable {
    @inlinable @inline(__always)
    package func add(to fields: inout LogFields, as key: StaticString) {
        fields.add(key, .unsigned, UInt64(self))
    }
}

extension UInt32: LogEncodable {
    @inlinable @inline(__always)
    package func add(to fields: inout LogFields, as key: StaticString) {
        fields.add(key, .unsigned, UInt64(self))
    }
}

extension UInt64: LogEncodable {
    @inlinable @inline(__always)
    package func add(to fields: inout LogFields, as key: StaticString) {
        fields.add(key, .unsigned, UInt64(self))
    }
}

extension Double: LogEncodable {
    @inlinable @inline(__always)
    package func add(to fields: inout LogFields, as key: StaticString) {
        fields.add(key, .real, bitPattern)
    }
}

extension Bool: LogEncodable {
    @inlinable @inline(__always)
    package func add(to fields: inout LogFields, as key: StaticString) {
        fields.add(key, .bool, self ? 1 : 0)
    }
}

extension StaticString: LogEncodable {
    @inlinable @inline(__always)
    package func add(to fields: inout LogFields, as key: StaticString) {
        fields.add(key, constant: self)
    }
}

extension String: LogEncodable {
    @inlinable @inline(__always)
    package func add(to fields: inout LogFields, as key: StaticString) {
        // Strings of Linux are always in one piece, so this copies and never allocates.
        let isDone: Void? = utf8.withContiguousStorageIfAvailable {
            fields.add(key, text: UnsafeRawBufferPointer($0))
        }
        if isDone == nil { fields.add(key, copy: self) }
    }
}

extension LogFields {
    /// For a text that is not in one piece.
    @usableFromInline
    mutating func add(_ key: StaticString, copy text: String) {
        var text = text
        text.withUTF8 { add(key, text: UnsafeRawBufferPointer($0)) }
    }
}

/// As text: UTF-8.
extension Bytes: LogEncodable {
    @usableFromInline
    package func add(to fields: inout LogFields, as key: StaticString) {
        fields.add(key, text: span)
    }
}

/// As text: UTF-8.
extension UnsafeRawBufferPointer: LogEncodable {
    @inlinable @inline(__always)
    package func add(to fields: inout LogFields, as key: StaticString) {
        fields.add(key, text: self)
    }
}

/// As milliseconds with their fraction; the key ends in `_ms`.
extension Duration: LogEncodable {
    @usableFromInline
    package func add(to fields: inout LogFields, as key: StaticString) {
        let milliseconds = Double(wholeNanoseconds) / 1e6
        fields.add(key, .real, milliseconds.bitPattern)
    }
}

/// A field without a value is left out.
extension Optional: LogEncodable where Wrapped: LogEncodable {
    @inlinable
    package func add(to fields: inout LogFields, as key: StaticString) {
        if let self { self.add(to: &fields, as: key) }
    }
}
