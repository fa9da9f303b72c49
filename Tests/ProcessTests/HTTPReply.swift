/// What the service answered.
struct HTTPReply: Sendable {
    var status: Int
    /// In the order of the reply; names as they were sent.
    var headers: [(name: String, value: String)]
    /// Without chunk framing, still compressed if it was.
    var body: [UInt8] = []

    var text: String { String(decoding: body, as: UTF8.self) }

    /// The first header of that name, in any case; nil if there is none.
    func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    /// The body read as JSON.
    func json() throws -> JSONValue {
        do {
            return try JSONValue.parse(body)
        } catch {
            throw TestError("\(status) with a body that is no JSON (\(error)): \(text.prefix(500))")
        }
    }

    var isChunked: Bool { header("Transfer-Encoding")?.lowercased() == "chunked" }
    var closesConnection: Bool { header("Connection")?.lowercased() == "close" }
    var hasBody: Bool { status >= 200 && status != 204 && status != 304 }
}
