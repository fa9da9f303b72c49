/// What a server answered a `ClientConnection`.
package struct ClientReply: Sendable {
    package var status: Int
    /// As the status line has it: `HTTP/1.1`.
    package var version: String
    /// In the order of the reply; names as they were sent.
    package var headers: [(name: String, value: String)] = []
    /// Without chunk framing, still compressed if it was.
    package var body: [UInt8] = []

    package var text: String { String(decoding: body, as: UTF8.self) }

    /// The first header of that name, in any case; nil if there is none.
    package func header(_ name: String) -> String? { all(name).first }

    /// The values of all headers of that name, in any case.
    package func all(_ name: String) -> [String] {
        headers.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
    }

    package var isChunked: Bool { header("Transfer-Encoding")?.lowercased() == "chunked" }
    package var closesConnection: Bool { header("Connection")?.lowercased() == "close" }
    /// Its status lets a body follow.
    package var hasBody: Bool { status >= 200 && status != 204 && status != 304 }
}
