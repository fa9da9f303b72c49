import Primitives

/// One POST on its way. The completion is called exactly once.
struct HTTPRequest: Sendable {
    typealias Completion = @Sendable (Result<HTTPReply, HTTPClientError>) -> Void

    let url: String
    /// Lines as they go out: `Content-Type: application/json`.
    let headers: [String]
    let body: Bytes
    let deadline: Deadline
    let completion: Completion

    /// What is wrong with it; nil if it can be sent. Schemes other than these two could read
    /// files, and a line break in a header would let its value become more headers.
    var fault: HTTPClientError? {
        let scheme = url.prefix(8).lowercased()
        guard scheme.hasPrefix("http://") || scheme == "https://" else {
            return HTTPClientError(.invalidRequest, "the URL is neither http:// nor https://")
        }
        let isSane = ([url] + headers).allSatisfy { text in
            text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
        }
        guard isSane else {
            return HTTPClientError(.invalidRequest, "control characters in the URL or a header")
        }
        return nil
    }
}
