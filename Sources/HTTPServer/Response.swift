import Primitives

/// What a handler answers.
package struct Response: Sendable {
    package enum Body: Sendable {
        case empty
        case fixed(StaticString)
        case bytes(Bytes)
        /// The body of a reply that many requests get, with its media type and fields.
        case shared(SharedReply)
        /// Sent as it comes, until the stream is finished or the client leaves.
        case stream(EventStream)
    }

    package var status: Int
    package var contentType: StaticString?
    package var body: Body
    package var cacheControl: StaticString = "no-store"
    /// Instead of `cacheControl`, where it is made of numbers.
    package var cacheControlText: String?
    /// The body is as the client wants it, compressed or not, and `headers` say so.
    package var isCoded = false
    /// When compressing it is given up: it then leaves as it is.
    package var codingDeadline = Deadline.never
    /// Header fields beside those that every reply has; values hold no line breaks.
    package var headers: [(name: StaticString, value: String)] = []
    /// Set for errors: what `/metrics` and the log say about them.
    package var problemCode: String?
    /// Lets the server give the same reply to the same request again.
    package var repetition: ReplyRepetition?
    /// The connection ends with this reply.
    package var closesConnection = false

    package init(_ status: Int, contentType: StaticString? = nil, body: Body = .empty) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    package static func json(_ status: Int, _ buffer: consuming ByteBuffer) -> Response {
        Response(status, contentType: "application/json", body: .bytes(buffer.freeze()))
    }

    package static func text(_ status: Int, _ text: String) -> Response {
        Response(status, contentType: "text/plain; charset=utf-8", body: .bytes(Bytes(text)))
    }

    package mutating func add(_ name: StaticString, _ value: String) {
        headers.append((name, value))
    }

    package func header(_ name: StaticString) -> String? {
        headers.first { field in
            UnsafeRawBufferPointer(
                start: field.name.utf8Start, count: field.name.utf8CodeUnitCount
            ).isEqualIgnoringCase(to: name)
        }?.value
    }

    /// Lets go of what nobody will get.
    func discard() {
        if case .stream(let stream) = body { stream.close() }
    }

    /// The body as text, for tests; a stream has none.
    package var bodyText: String {
        switch body {
        case .empty, .stream: ""
        case .fixed(let text): "\(text)"
        case .bytes(let bytes): bytes.text
        case .shared(let shared): shared.body.text
        }
    }
}
