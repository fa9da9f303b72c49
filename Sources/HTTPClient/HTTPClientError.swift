internal import CCurl

/// Why there is no reply. The message never holds the request, its headers or its URL's path.
package struct HTTPClientError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        /// The name could not be resolved, or nobody accepted the connection.
        case connect
        /// The deadline passed, or the transfer was too slow. The server may have acted all the
        /// same.
        case timeout
        /// No trusted encryption: a certificate that does not hold, or no TLS at all.
        case tls
        /// The connection ended before the reply was whole. The server may have acted.
        case reset
        /// What came back is not HTTP.
        case protocolViolation = "protocol"
        /// The reply's header block is too large.
        case tooLarge = "too_large"
        /// The client was closed.
        case cancelled
        /// Too many requests wait already.
        case queueFull = "queue_full"
        /// A URL or a header that cannot be sent.
        case invalidRequest = "invalid_request"
        /// Out of memory or descriptors, or a mistake in this program.
        case `internal`
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { "\(code.rawValue): \(message)" }

    /// The one way from libcurl's codes to ours (`libcurl-errors(3)`).
    init(_ result: CURLcode, detail: String) {
        let text = detail.isEmpty ? String(cString: curl_easy_strerror(result)) : detail
        self.init(HTTPClientError.code(for: result), text)
    }

    private static func code(for result: CURLcode) -> Code {
        switch result {
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT:
            .connect
        case CURLE_OPERATION_TIMEDOUT: .timeout
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM,
            CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR,
            CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_PINNEDPUBKEYNOTMATCH:
            .tls
        case CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE,
            CURLE_SEND_FAIL_REWIND:
            .reset
        // UNSUPPORTED_PROTOCOL is what libcurl says of bytes that do not begin like HTTP/1: of
        // requests, the scheme has been looked at before.
        case CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL, CURLE_BAD_CONTENT_ENCODING,
            CURLE_HTTP2, CURLE_HTTP2_STREAM:
            .protocolViolation
        case CURLE_URL_MALFORMAT: .invalidRequest
        case CURLE_ABORTED_BY_CALLBACK: .cancelled
        default: .internal
        }
    }
}
