import Primitives

/// Values of OTLP's JSON. A member that is null is as good as absent, as in all JSON of Protocol
/// Buffers.
enum OTLPJSON {
    /// The elements of a list; none where there is none.
    static func list(_ value: JSONValue?) throws(OTLPError) -> [JSONValue] {
        switch value {
        case nil, .null: return []
        case .array(let elements): return elements
        default: throw .wrongType
        }
    }

    static func object(_ value: JSONValue?) throws(OTLPError) -> JSONValue? {
        switch value {
        case nil, .null: return nil
        case .object: return value
        default: throw .wrongType
        }
    }

    static func text(_ value: JSONValue?) throws(OTLPError) -> String {
        switch value {
        case nil, .null: return ""
        case .string(let text): return text
        default: throw .wrongType
        }
    }

    /// 64 bits, as a number or as a string of digits; JavaScript may write a number with a fraction
    /// of zero or an exponent. Above what is signed, the bits.
    static func integer(_ value: JSONValue?) throws(OTLPError) -> Int64 {
        switch value {
        case nil, .null: return 0
        case .integer(let number): return number
        case .unsigned(let number): return Int64(bitPattern: number)
        case .double(let number):
            if let exact = Int64(exactly: number) { return exact }
            if let exact = UInt64(exactly: number) { return Int64(bitPattern: exact) }
        case .string(let text):
            if let number = Int64(text) { return number }
            if let number = UInt64(text) { return Int64(bitPattern: number) }
        default: break
        }
        throw .wrongType
    }

    static func trace(_ text: String) -> Key128? {
        var text = text
        return text.withUTF8 { OTLPIdentifier.trace(digits: UnsafeRawBufferPointer($0)) }
    }

    static func span(_ text: String) -> UInt64? {
        var text = text
        return text.withUTF8 { OTLPIdentifier.span(digits: UnsafeRawBufferPointer($0)) }
    }

    /// Appends `KeyValue`s as a JSON object.
    static func append(
        members: [JSONValue], depth: Int, to json: inout ByteBuffer
    ) throws(OTLPError) {
        json.append(UInt8(ascii: "{"))
        for (index, member) in members.enumerated() {
            guard case .object = member else { throw .wrongType }
            if index > 0 { json.append(UInt8(ascii: ",")) }
            json.append(jsonString: try text(member["key"]))
            json.append(UInt8(ascii: ":"))
            if let value = try object(member["value"]) {
                try append(value: value, depth: depth, to: &json)
            } else {
                json.append("null")
            }
        }
        json.append(UInt8(ascii: "}"))
    }

    /// Appends an `AnyValue`, by the same rules as `AnyValueReader`. It is one of several members;
    /// if there are more, the last one counts.
    static func append(
        value: JSONValue, depth: Int, to json: inout ByteBuffer
    ) throws(OTLPError) {
        guard case .object(let members) = value else { throw .wrongType }
        let known = members.last { member in
            if case .null = member.value { return false }
            return kinds.contains(member.key)
        }
        guard let known else { return json.append("null") }
        switch known.key {
        case "stringValue": json.append(jsonString: try text(known.value))
        case "boolValue":
            guard case .bool(let flag) = known.value else { throw .wrongType }
            json.append(flag ? "true" : "false")
        case "intValue": json.append(decimal: try integer(known.value))
        case "doubleValue": AnyValueReader.append(try double(known.value), to: &json)
        case "bytesValue": json.append(jsonString: try text(known.value))
        case "arrayValue": try append(array: known.value, depth: depth + 1, to: &json)
        default:
            guard depth < OTLPLimits.depth else { throw .tooDeep }
            guard case .object = known.value else { throw .wrongType }
            try append(
                members: try list(known.value["values"]), depth: depth + 1, to: &json)
        }
    }

    private static let kinds: Set<String> = [
        "stringValue", "boolValue", "intValue", "doubleValue", "arrayValue", "kvlistValue",
        "bytesValue",
    ]

    private static func append(
        array: JSONValue, depth: Int, to json: inout ByteBuffer
    ) throws(OTLPError) {
        guard depth <= OTLPLimits.depth else { throw .tooDeep }
        guard case .object = array else { throw .wrongType }
        json.append(UInt8(ascii: "["))
        for (index, element) in try list(array["values"]).enumerated() {
            if index > 0 { json.append(UInt8(ascii: ",")) }
            try append(value: element, depth: depth, to: &json)
        }
        json.append(UInt8(ascii: "]"))
    }

    private static func double(_ value: JSONValue) throws(OTLPError) -> Double {
        switch value {
        case .integer(let number): return Double(number)
        case .unsigned(let number): return Double(number)
        case .double(let number): return number
        // `NaN`, `Infinity` and `-Infinity` among them.
        case .string(let text):
            if let number = Double(text) { return number }
            throw .wrongType
        default: throw .wrongType
        }
    }
}
