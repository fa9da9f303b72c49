import Primitives

/// Why a request is refused before its body is read.
package struct Refusal: Error, Equatable, Sendable {
    package var status: Int
    package var code: String
    package var detail: String
}

/// What libmicrohttpd lets through and we do not: everything by which two parsers could disagree
/// about where a request ends (RFC 9112, sections 6 and 11.2), and what is no HTTP at all.
package enum RequestGuard {
    /// - Parameters:
    ///   - request: with its target and headers.
    ///   - method: as it came.
    ///   - isWhole: libmicrohttpd has seen all of the header, as `HeaderWalk` shows.
    package static func check(
        _ request: Request, method: UnsafeRawBufferPointer, isWhole: Bool = true,
        headerLimitBytes: Int
    ) throws(Refusal) {
        guard isWhole else {
            throw bad(
                "invalid_header", "The header has a folded line, a zero byte or extra spaces.")
        }
        guard isToken(method) else { throw bad("invalid_method", "The method is not a token.") }
        try checkTarget(request.target.span, request.method)
        guard request.headers.totalBytes + request.target.count <= headerLimitBytes else {
            throw Refusal(
                status: 431, code: "header_too_large",
                detail: "Request line and header are limited to \(headerLimitBytes) bytes.")
        }
        try checkFields(request)
    }

    private static func checkTarget(
        _ target: UnsafeRawBufferPointer, _ method: HTTPMethod
    ) throws(Refusal) {
        guard target.count <= 8192 else {
            throw Refusal(
                status: 414, code: "target_too_long",
                detail: "The request target is limited to 8192 bytes.")
        }
        let isServer = method == .options && target.isEqual(to: "*")
        guard
            target.first == UInt8(ascii: "/") || isServer
                || AbsoluteTarget.pathStart(of: target) != nil
        else {
            throw bad(
                "invalid_target",
                "The request target must begin with a slash, or with http:// or https:// and a host."
            )
        }
        var isPlain = true
        for byte in target {
            guard byte > 0x20, byte != 0x7F else {
                throw bad("invalid_target", "The request target has a control character.")
            }
            if byte == UInt8(ascii: "%") || byte >= 0x80 { isPlain = false }
        }
        // Most targets have nothing to decode, so nothing in which that could fail.
        guard !isPlain else { return }
        // With the host of an absolute form, which may have escapes too.
        let end = target.firstIndex(of: UInt8(ascii: "?")) ?? target.count
        do {
            _ = try RequestTarget.decode(
                UnsafeRawBufferPointer(rebasing: target[..<end]), plus: false)
        } catch {
            throw bad("invalid_target", "The path has a bad escape, %00, or is not UTF-8.")
        }
    }

    private static func checkFields(_ request: Request) throws(Refusal) {
        var hosts = 0
        var lengths = 0
        var encodings = 0
        for index in 0..<request.headers.count {
            let (name, value) = request.headers[index]
            guard isToken(name) else {
                throw bad("invalid_header", "A header name is not a token.")
            }
            for byte in value where byte < 0x20 && byte != 0x09 || byte == 0x7F {
                throw bad("invalid_header", "A header value has a control character.")
            }
            if name.isEqualIgnoringCase(to: "host") {
                hosts += 1
                try checkHost(value.trimmed)
            }
            if name.isEqualIgnoringCase(to: "content-length") {
                lengths += 1
                try checkLength(value)
            }
            if name.isEqualIgnoringCase(to: "transfer-encoding") {
                encodings += 1
                try checkEncoding(value)
            }
        }
        guard lengths <= 1 else {
            throw bad("duplicate_content_length", "More than one Content-Length.")
        }
        guard lengths == 0 || encodings == 0 else {
            throw bad("ambiguous_length", "Content-Length beside Transfer-Encoding.")
        }
        guard encodings <= 1 else {
            throw bad("invalid_transfer_encoding", "More than one Transfer-Encoding.")
        }
        guard encodings == 0 || !request.isHTTP10 else {
            throw bad("invalid_transfer_encoding", "Transfer-Encoding in an HTTP/1.0 request.")
        }
        guard hosts <= 1 else { throw bad("duplicate_host", "More than one Host.") }
        guard hosts == 1 || request.isHTTP10 else {
            throw bad("missing_host", "An HTTP/1.1 request needs a Host header.")
        }
    }

    /// An empty one is allowed, for targets without an authority.
    private static func checkHost(_ value: UnsafeRawBufferPointer) throws(Refusal) {
        guard value.isEmpty || Authority.isValid(value) else {
            throw bad("invalid_host", "Host must be a host name or address, and perhaps a port.")
        }
    }

    static let invalidChunk = bad(
        "invalid_chunk", "The framing of the chunked body is malformed.")

    /// The fields after the last chunk of a body.
    static func checkTrailer(
        name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer
    ) -> Bool {
        isToken(name) && value.allSatisfy { ($0 >= 0x20 || $0 == 0x09) && $0 != 0x7F }
    }

    static let invalidTrailer = bad(
        "invalid_trailer", "A field after the chunked body is malformed.")

    static let invalidLength = bad("invalid_content_length", "Content-Length is not a number.")

    private static func checkLength(_ value: UnsafeRawBufferPointer) throws(Refusal) {
        guard !value.isEmpty, value.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw invalidLength
        }
    }

    private static func checkEncoding(_ value: UnsafeRawBufferPointer) throws(Refusal) {
        // As libmicrohttpd compares: with a space behind it, it would not take the body for chunked.
        guard value.isEqualIgnoringCase(to: "chunked") else {
            throw Refusal(
                status: 501, code: "unsupported_transfer_encoding",
                detail: "The only Transfer-Encoding understood is chunked.")
        }
    }

    private static func bad(_ code: String, _ detail: String) -> Refusal {
        Refusal(status: 400, code: code, detail: detail)
    }

    /// RFC 9110, section 5.6.2.
    private static func isToken(_ text: UnsafeRawBufferPointer) -> Bool {
        guard !text.isEmpty else { return false }
        for byte in text where !isOfToken(byte) { return false }
        return true
    }

    static func isOfToken(_ byte: UInt8) -> Bool {
        let set = byte < 64 ? tokenBelow64 : byte < 128 ? tokenFrom64 : 0
        return set >> UInt64(byte & 63) & 1 == 1
    }

    /// A bit for each byte that a token may have: digits, ``!#$%&'*+-.`` and, from 64 on, letters
    /// and ``^_`|~``.
    private static let tokenBelow64: UInt64 = 0x03FF_6CFA_0000_0000
    private static let tokenFrom64: UInt64 = 0x57FF_FFFF_C7FF_FFFE
}
