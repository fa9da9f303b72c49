import Primitives

/// OTLP's `AnyValue` and `KeyValue` (opentelemetry/proto/common/v1) as JSON.
///
/// The kinds become what OpenTelemetry wants of them outside OTLP ("AnyValue representation for
/// non-OTLP protocols"): maps are objects, bytes are base64 in a string, an empty value is null, and
/// the numbers that JSON does not know are the strings `NaN`, `Infinity` and `-Infinity`.
enum AnyValueReader {
    private enum Number {
        static let string: UInt32 = 1
        static let bool: UInt32 = 2
        static let int: UInt32 = 3
        static let double: UInt32 = 4
        static let array: UInt32 = 5
        static let map: UInt32 = 6
        static let bytes: UInt32 = 7
    }

    /// Appends the value of an `AnyValue` message.
    /// - Throws: `tooDeep`, or what is wrong with the bytes. O(n).
    static func append(
        _ message: UnsafeRawBufferPointer, depth: Int = 0, to json: inout ByteBuffer
    ) throws(OTLPError) {
        // It is one of several; if there are more, the last one counts.
        var last: ProtobufReader.Field?
        var fields = ProtobufReader(message)
        while let field = try fields.next() {
            switch (field.number, field.wire) {
            case (Number.string, .bytes), (Number.bool, .varint), (Number.int, .varint),
                (Number.double, .fixed64), (Number.array, .bytes), (Number.map, .bytes),
                (Number.bytes, .bytes):
                last = field
            default: break
            }
        }
        guard let last else { return json.append("null") }
        switch last.number {
        case Number.string: OTLPText.append(json: last.bytes, to: &json)
        case Number.bool: json.append(last.value != 0 ? "true" : "false")
        case Number.int: json.append(decimal: Int64(bitPattern: last.value))
        case Number.double: append(Double(bitPattern: last.value), to: &json)
        case Number.array: try appendArray(last.bytes, depth + 1, to: &json)
        case Number.map: try appendMap(last.bytes, depth + 1, to: &json)
        default: append(bytes: last.bytes, to: &json)
        }
    }

    /// The text of an `AnyValue` that is one; nil for any other kind.
    static func text(_ message: UnsafeRawBufferPointer) throws(OTLPError) -> UnsafeRawBufferPointer?
    {
        var text: UnsafeRawBufferPointer?
        var fields = ProtobufReader(message)
        while let field = try fields.next() {
            guard (Number.string...Number.bytes).contains(field.number) else { continue }
            text = field.number == Number.string && field.wire == .bytes ? field.bytes : nil
        }
        return text
    }

    /// Key and value of a `KeyValue`; a missing one is empty, which as a value is null.
    static func pair(
        _ message: UnsafeRawBufferPointer
    ) throws(OTLPError) -> (key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        var key = UnsafeRawBufferPointer(start: nil, count: 0)
        var value = key
        var fields = ProtobufReader(message)
        while let field = try fields.next() {
            switch (field.number, field.wire) {
            case (1, .bytes): key = field.bytes
            case (2, .bytes): value = field.bytes
            default: break
            }
        }
        return (key, value)
    }

    /// Appends a member of an object, with a comma unless `isFirst`.
    static func appendMember(
        _ message: UnsafeRawBufferPointer, isFirst: Bool, depth: Int, to json: inout ByteBuffer
    ) throws(OTLPError) {
        let (key, value) = try pair(message)
        if !isFirst { json.append(UInt8(ascii: ",")) }
        OTLPText.append(json: key, to: &json)
        json.append(UInt8(ascii: ":"))
        try append(value, depth: depth, to: &json)
    }

    /// Appends a number that reads back as `value`, or its name.
    static func append(_ value: Double, to json: inout ByteBuffer) {
        if value.isFinite { return json.append(json: value) }
        json.append(value.isNaN ? #""NaN""# : value < 0 ? #""-Infinity""# : #""Infinity""#)
    }

    static func append(bytes: UnsafeRawBufferPointer, to json: inout ByteBuffer) {
        json.append(UInt8(ascii: "\""))
        json.append(base64: bytes)
        json.append(UInt8(ascii: "\""))
    }

    private static func appendArray(
        _ message: UnsafeRawBufferPointer, _ depth: Int, to json: inout ByteBuffer
    ) throws(OTLPError) {
        guard depth <= OTLPLimits.depth else { throw .tooDeep }
        json.append(UInt8(ascii: "["))
        var isFirst = true
        var fields = ProtobufReader(message)
        while let field = try fields.next() {
            guard field.number == 1, field.wire == .bytes else { continue }
            if !isFirst { json.append(UInt8(ascii: ",")) }
            isFirst = false
            try append(field.bytes, depth: depth, to: &json)
        }
        json.append(UInt8(ascii: "]"))
    }

    private static func appendMap(
        _ message: UnsafeRawBufferPointer, _ depth: Int, to json: inout ByteBuffer
    ) throws(OTLPError) {
        guard depth <= OTLPLimits.depth else { throw .tooDeep }
        json.append(UInt8(ascii: "{"))
        var isFirst = true
        var fields = ProtobufReader(message)
        while let field = try fields.next() {
            guard field.number == 1, field.wire == .bytes else { continue }
            try appendMember(field.bytes, isFirst: isFirst, depth: depth, to: &json)
            isFirst = false
        }
        json.append(UInt8(ascii: "}"))
    }
}
