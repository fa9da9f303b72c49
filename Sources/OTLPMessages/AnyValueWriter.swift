import Primitives

/// Writes JSON as OTLP's `AnyValue` and `KeyValue`, the inverse of `AnyValueReader`. Values that became
/// strings there (bytes, `NaN`) stay strings.
///
/// The JSON is what this program wrote or has checked, so this minds brackets and quotes and little
/// else: of other bytes it makes some value or throws, and never reads beyond them.
struct AnyValueWriter {
    private let bytes: UnsafeRawBufferPointer
    private var index = 0

    private init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Appends the fields of an `AnyValue` that holds `json`.
    /// - Throws: `truncated`, `malformed`, `tooDeep`; `message` then ends anywhere. O(n).
    static func append(
        _ json: UnsafeRawBufferPointer, to message: inout ByteBuffer
    ) throws(OTLPError) {
        var writer = AnyValueWriter(json)
        try writer.appendValue(depth: 0, to: &message)
    }

    /// Appends each member of the object `json` as a `KeyValue` in the field `number`.
    static func append(
        membersOf json: UnsafeRawBufferPointer, field number: UInt32, to message: inout ByteBuffer
    ) throws(OTLPError) {
        var writer = AnyValueWriter(json)
        try writer.expect(UInt8(ascii: "{"))
        try writer.appendMembers(number, depth: 0, to: &message)
    }

    private mutating func appendValue(
        depth: Int, to message: inout ByteBuffer
    ) throws(OTLPError) {
        guard depth <= OTLPLimits.depth * 2 else { throw .tooDeep }
        switch try peek() {
        case UInt8(ascii: "\""): try appendString(1, to: &message)
        case UInt8(ascii: "t"): message.append(field: 2, varint: 1); skipWord()
        case UInt8(ascii: "f"): message.append(field: 2, varint: 0); skipWord()
        case UInt8(ascii: "n"): skipWord()
        case UInt8(ascii: "["):
            index += 1
            let start = message.beginMessage(5)
            try appendElements(depth: depth + 1, to: &message)
            message.endMessage(at: start)
        case UInt8(ascii: "{"):
            index += 1
            let start = message.beginMessage(6)
            try appendMembers(1, depth: depth + 1, to: &message)
            message.endMessage(at: start)
        default: try appendNumber(to: &message)
        }
    }

    /// Behind the opening bracket.
    private mutating func appendElements(
        depth: Int, to message: inout ByteBuffer
    ) throws(OTLPError) {
        while try peek() != UInt8(ascii: "]") {
            let start = message.beginMessage(1)
            try appendValue(depth: depth, to: &message)
            message.endMessage(at: start)
            if try peek() == UInt8(ascii: ",") { index += 1 }
        }
        index += 1
    }

    /// Behind the opening brace.
    private mutating func appendMembers(
        _ number: UInt32, depth: Int, to message: inout ByteBuffer
    ) throws(OTLPError) {
        while try peek() != UInt8(ascii: "}") {
            let start = message.beginMessage(number)
            try expectString()
            try appendString(1, to: &message)
            try expect(UInt8(ascii: ":"))
            let value = message.beginMessage(2)
            try appendValue(depth: depth, to: &message)
            message.endMessage(at: value)
            message.endMessage(at: start)
            if try peek() == UInt8(ascii: ",") { index += 1 }
        }
        index += 1
    }

    /// At the opening quote.
    private mutating func appendString(
        _ number: UInt32, to message: inout ByteBuffer
    ) throws(OTLPError) {
        let start = index + 1
        var end = start
        var hasEscape = false
        while end < bytes.count, bytes[end] != UInt8(ascii: "\"") {
            if bytes[end] == UInt8(ascii: "\\") {
                hasEscape = true
                end += 1
            }
            end += 1
        }
        guard end < bytes.count else { throw .truncated }
        index = end + 1
        let text = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
        guard hasEscape else { return message.append(field: number, bytes: text) }
        let field = message.beginMessage(number)
        JSONEscapes.appendResolved(text, to: &message)
        message.endMessage(at: field)
    }

    private mutating func appendNumber(to message: inout ByteBuffer) throws(OTLPError) {
        let start = index
        skipWord()
        guard index > start else { throw .malformed }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        if let number = Int64(text) {
            message.append(field: 3, varint: UInt64(bitPattern: number))
        } else if let number = Double(text) {
            message.append(field: 4, fixed64: number.bitPattern)
        } else {
            throw .malformed
        }
    }

    /// Letters, digits and signs up to what separates values.
    private mutating func skipWord() {
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: ":"),
                UInt8(ascii: "\""), UInt8(ascii: "["), UInt8(ascii: "{"):
                return
            case let byte where JSONScan.isSpace(byte): return
            default: index += 1
            }
        }
    }

    private mutating func expectString() throws(OTLPError) {
        guard try peek() == UInt8(ascii: "\"") else { throw .malformed }
    }

    private mutating func expect(_ byte: UInt8) throws(OTLPError) {
        guard try peek() == byte else { throw .malformed }
        index += 1
    }

    /// The next byte that is no white space.
    private mutating func peek() throws(OTLPError) -> UInt8 {
        index = JSONScan.skipSpace(bytes, from: index)
        guard index < bytes.count else { throw .truncated }
        return bytes[index]
    }
}
