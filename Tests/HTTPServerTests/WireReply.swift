import Primitives

/// What the server answered.
struct WireReply: Sendable {
    var status: Int
    var version: String
    /// In the order of the reply; names as they were sent.
    var headers: [(name: String, value: String)] = []
    /// Without chunk framing, still compressed if it was.
    var body: [UInt8] = []

    var text: String { String(decoding: body, as: UTF8.self) }

    /// The first header of that name, in any case; nil if there is none.
    func header(_ name: String) -> String? { all(name).first }

    func all(_ name: String) -> [String] {
        headers.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
    }

    /// `code` of a problem; nil if the body is no problem+json.
    var problemCode: String? {
        guard header("Content-Type") == "application/problem+json" else { return nil }
        return (try? JSONValue.parse(text))?["code"]?.text
    }

    var isChunked: Bool { header("Transfer-Encoding") == "chunked" }
    var closesConnection: Bool { header("Connection")?.lowercased() == "close" }
    var hasBody: Bool { status >= 200 && status != 204 && status != 304 }
}
