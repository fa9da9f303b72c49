import TestSupport

extension ClientReply {
    /// The body read as JSON.
    func json() throws -> JSONValue {
        do {
            return try JSONValue.parse(body)
        } catch {
            throw TestError("\(status) with a body that is no JSON (\(error)): \(text.prefix(500))")
        }
    }
}
