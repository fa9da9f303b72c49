import HTTPServer
import Primitives

/// The body of `POST /query`: the parameters of `GET /query` as a JSON object. A text is what it is
/// in a URL, comma lists too; an element of an array is one value, whatever commas it holds.
enum QueryBody {
    private static let repeatable = "where"
    /// As it comes, and once it is decompressed.
    static let limitBytes = 64 << 10

    static func parameters(_ request: Request) throws(Problem) -> [Parameter] {
        var parameters: [Parameter] = []
        for (name, value) in try members(request) { try append(name, value, to: &parameters) }
        return parameters
    }

    /// The members of the object that the body is.
    static func members(
        _ request: Request
    ) throws(Problem) -> [(key: String, value: JSONValue)] {
        guard request.mediaType == "application/json" else {
            throw Problem(
                415, "unsupported_media_type", "Content-Type must be application/json.")
        }
        try IntakeCoding.undo(request, limitBytes: limitBytes)
        if let stray = try request.queryParameters().first {
            throw Problem(
                400, "unknown_parameter", "A POST takes its parameters from the body.",
                parameter: ParameterName.shown(stray.name))
        }
        let text = JSONScan.withoutByteOrderMark(request.body.span)
        guard let value = try? JSONValue.parse(text, maxDepth: 4) else {
            throw Problem(400, "invalid_json", "The body is not valid JSON.")
        }
        guard case .object(let members) = value else {
            throw Problem(400, "not_an_object", "The body must be a JSON object.")
        }
        return members
    }

    private static func append(
        _ name: String, _ value: JSONValue, to parameters: inout [Parameter]
    ) throws(Problem) {
        if name == repeatable {
            for condition in value.elements ?? [value] {
                parameters.append(try self.condition(condition))
            }
            return
        }
        guard let elements = value.elements else {
            return parameters.append(list(name, try text(value)))
        }
        guard !elements.isEmpty else {
            throw Problem(
                400, "invalid_parameter", "A list of a parameter must not be empty.",
                parameter: ParameterName.shown(name))
        }
        let texts = try elements.map { element throws(Problem) in try text(element) }
        parameters.append(Parameter(name: name, elements: texts))
    }

    /// `"field:op:value"`, or an object that says the three apart: `value` is then one value, or
    /// for `in` an array of values.
    private static func condition(_ value: JSONValue) throws(Problem) -> Parameter {
        guard case .object(let members) = value else { return list(repeatable, try text(value)) }
        guard members.allSatisfy({ ["field", "op", "value"].contains($0.key) }),
            let field = value["field"]?.text, let operation = value["op"]?.text
        else {
            throw Problem(
                400, "invalid_parameter", "A condition is a text or has field, op and value.",
                parameter: repeatable)
        }
        let values = value["value"].map { $0.elements ?? [$0] } ?? []
        guard values.count <= 1 || operation == "in" else {
            throw Problem(
                400, "invalid_parameter", "Only in takes several values.", parameter: repeatable)
        }
        var texts = try values.map { value throws(Problem) in
            if case .bool(let flag) = value { "\(flag)" } else { try text(value) }
        }
        if let first = texts.first {
            texts[0] = "\(field):\(operation):\(first)"
        } else {
            texts = ["\(field):\(operation)"]
        }
        return Parameter(name: repeatable, elements: texts)
    }

    private static func list(_ name: String, _ text: String) -> Parameter {
        Parameter(name: name, elements: text.parts(by: ",").map(String.init))
    }

    static let invalid = Problem(
        400, "invalid_parameter", "A parameter is a string, a number, a boolean, or an array.")

    private static func text(_ value: JSONValue) throws(Problem) -> String {
        switch value {
        case .string(let text): return text
        case .integer(let number): return "\(number)"
        case .unsigned(let number): return "\(number)"
        // A whole number however it is written (JSON Schema 2020-12).
        case .double(let number): return Int64(exactly: number).map { "\($0)" } ?? "\(number)"
        case .bool(let flag): return flag ? "1" : "0"
        case .null, .array, .object: throw invalid
        }
    }
}
