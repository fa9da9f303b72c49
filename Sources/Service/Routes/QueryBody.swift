import HTTPServer
import Primitives

/// The body of `POST /query`: the parameters of `GET /query` as a JSON object. Where a parameter is
/// a comma list or repeatable, an array says the same.
enum QueryBody {
    private static let repeatable = "where"
    /// As it comes, and once it is decompressed.
    static let limitBytes = 64 << 10

    static func pairs(_ request: Request) throws(Problem) -> [(name: String, value: String)] {
        guard request.mediaType == "application/json" else {
            throw Problem(
                415, "unsupported_media_type", "Content-Type must be application/json.")
        }
        try IntakeCoding.undo(request, limitBytes: limitBytes)
        if let stray = try request.queryPairs().first {
            throw Problem(
                400, "unknown_parameter", "POST /query takes its parameters from the body.",
                parameter: ParameterName.shown(stray.name))
        }
        let text = JSONScan.withoutByteOrderMark(request.body.span)
        guard let value = try? JSONValue.parse(text, maxDepth: 4) else {
            throw Problem(400, "invalid_json", "The body is not valid JSON.")
        }
        guard case .object(let members) = value else {
            throw Problem(400, "not_an_object", "The body must be a JSON object.")
        }
        var pairs: [(name: String, value: String)] = []
        for (name, value) in members { try append(name, value, to: &pairs) }
        return pairs
    }

    private static func append(
        _ name: String, _ value: JSONValue, to pairs: inout [(name: String, value: String)]
    ) throws(Problem) {
        guard let elements = value.elements else {
            if let text = text(value) { pairs.append((name, text)) } else { throw invalid }
            return
        }
        var texts: [String] = []
        for element in elements {
            guard let text = text(element) else { throw invalid }
            texts.append(text)
        }
        if name == repeatable {
            pairs += texts.map { (name, $0) }
        } else {
            pairs.append((name, texts.joined(separator: ",")))
        }
    }

    private static let invalid = Problem(
        400, "invalid_parameter", "A parameter is a string, a number, a boolean, or an array.")

    private static func text(_ value: JSONValue) -> String? {
        switch value {
        case .string(let text): text
        case .integer(let number): "\(number)"
        case .unsigned(let number): "\(number)"
        case .double(let number): "\(number)"
        case .bool(let flag): flag ? "1" : "0"
        case .null, .array, .object: nil
        }
    }
}
