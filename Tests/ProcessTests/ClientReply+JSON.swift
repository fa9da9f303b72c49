import TestSupport

extension ClientReply {
    /// The body read as JSON.
    func json() throws -> JSONTree {
        do {
            return try JSONTree.parse(body)
        } catch {
            throw TestError("\(status) with a body that is no JSON (\(error)): \(text.prefix(500))")
        }
    }
}
