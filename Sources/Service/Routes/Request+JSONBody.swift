import HTTPServer
import Primitives

extension Request {
    /// The body of a small request that is one JSON text. Its coding is undone in place, and a byte order
    /// mark before it is stepped over (RFC 8259, section 8.1).
    /// - Parameter limitBytes: of the body without its coding.
    /// - Throws: a 400, 413 or 415 that says what the body is instead.
    func jsonBody(limitBytes: Int, maxDepth: Int) throws(Problem) -> JSONValue {
        guard mediaType == "application/json" else {
            throw Problem(
                415, "unsupported_media_type", "Content-Type must be application/json.")
        }
        try IntakeCoding.undo(self, limitBytes: limitBytes)
        let text = JSONScan.withoutByteOrderMark(body.span)
        guard let value = try? JSONValue.parse(text, maxDepth: maxDepth) else {
            throw Problem(400, "invalid_json", "The body is not valid JSON.")
        }
        return value
    }
}
