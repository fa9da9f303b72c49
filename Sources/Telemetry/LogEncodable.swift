import Primitives

/// What a log record can hold: integers, reals, truth values, text, bytes of text, durations.
/// A type of a room's own conforms by adding itself as one of these.
package protocol LogEncodable {
    func add(to fields: inout LogFields, as key: StaticString)
}

extension Int: LogEncodable {
    package func add(to fields: inout LogFields, as key: StaticString) {
        fields.add(key, integer: Int64(self))
    }
}

extension Int32: LogEncodable {
    package func add(to fields: inout LogFields, as key: StaticString) {
        fields.add(key, integer: Int64(self))
    }
}

extension Int64: LogEncodable {
    package func add(to fields: inout LogFields, as key: StaticString) {
        fields.add(key, integer: self)
    }
}

extension UInt16: LogEncodable {
    package func add(to fields: inout LogFields, as key: StaticString) {
        fields.add(key, integer: Int64(self))
    }
}

extension UInt32: LogEncodable {
    package func add(to fields: inout LogFields, as key: StaticString) {
        fields.add(key, integer: Int64(self))
    }
}

extension UInt64: LogEncodable {
    package func add(to fields: inout LogFields, as key: StaticString) {
        fields.add(key, unsigned: self)
    }
}

extension Double: LogEncodable {
    package func add(to fields: inout LogFields, as key: StaticString) {
        fields.add(key, real: self)
    }
}

extension Bool: LogEncodable {
    package func add(to fields: inout LogFields, as key: StaticString) {
        fields.add(key, bool: self)
    }
}

extension String: LogEncodable {
    package func add(to fields: inout LogFields, as key: StaticString) {
        var text = self
        text.withUTF8 { fields.add(key, text: UnsafeRawBufferPointer($0)) }
    }
}

extension StaticString: LogEncodable {
    package func add(to fields: inout LogFields, as key: StaticString) {
        fields.add(
            key, text: UnsafeRawBufferPointer(start: utf8Start, count: utf8CodeUnitCount))
    }
}

/// As text: UTF-8.
extension Bytes: LogEncodable {
    package func add(to fields: inout LogFields, as key: StaticString) {
        fields.add(key, text: span)
    }
}

/// As text: UTF-8.
extension UnsafeRawBufferPointer: LogEncodable {
    package func add(to fields: inout LogFields, as key: StaticString) {
        fields.add(key, text: self)
    }
}

/// As milliseconds with their fraction; the key ends in `_ms`.
extension Duration: LogEncodable {
    package func add(to fields: inout LogFields, as key: StaticString) {
        fields.add(key, real: Double(wholeNanoseconds) / 1e6)
    }
}

/// A field without a value is left out.
extension Optional: LogEncodable where Wrapped: LogEncodable {
    package func add(to fields: inout LogFields, as key: StaticString) {
        if let self { self.add(to: &fields, as: key) }
    }
}
