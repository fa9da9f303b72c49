import Masking
import Primitives

/// An error as a client sees it (RFC 9457). What it repeats of the request is masked: names of
/// parameters and, where no route has answered, words of the path.
package struct Problem: Error, Sendable {
    package var status: Int
    /// Stable, snake_case.
    package var code: String
    package var detail: String
    package var limit: Int?
    package var parameter: String?
    /// Byte offset of the mistake in the body.
    package var offset: Int?
    /// `errors[]`: a JSON array, already written.
    package var errors: Bytes?
    /// 429 and 503 always say when to try again.
    package var retryAfterSeconds: Int?
    package var headers: [(name: StaticString, value: String)] = []
    package var closesConnection = false

    package init(
        _ status: Int, _ code: String, _ detail: String, limit: Int? = nil,
        parameter: String? = nil, offset: Int? = nil, retryAfterSeconds: Int? = nil
    ) {
        self.status = status
        self.code = code
        self.detail = detail
        self.limit = limit
        self.parameter = parameter
        self.offset = offset
        self.retryAfterSeconds = retryAfterSeconds ?? (status == 503 || status == 429 ? 1 : nil)
    }

    package init(_ refusal: Refusal) {
        self.init(refusal.status, refusal.code, refusal.detail)
        closesConnection = true
    }

    package func response(for request: Request) -> Response {
        let (contentType, body): (StaticString, Bytes) =
            if let form = request.problemForm {
                form(self, request)
            } else {
                ("application/problem+json", body(for: request))
            }
        var response = Response(status, contentType: contentType, body: .bytes(body))
        response.headers = headers
        if let seconds = retryAfterSeconds { response.add("Retry-After", "\(seconds)") }
        response.problemCode = code
        response.closesConnection = closesConnection
        return response
    }

    func body(for request: Request) -> Bytes {
        var body = ByteBuffer(capacity: 384)
        body.append(#"{"type":"about:blank","title":"#)
        body.append(jsonString: Problem.title(status))
        body.append(#","status":"#)
        body.append(decimal: status)
        body.append(#","code":"#)
        body.append(jsonString: code)
        body.append(#","detail":"#)
        Problem.append(masked: detail, by: request.masker, to: &body)
        Problem.appendInstance(of: request, to: &body)
        body.append(#","request_id":"#)
        body.append(jsonString: request.id.span)
        appendExtras(by: request.masker, to: &body)
        body.append("}\n")
        return body.freeze()
    }

    /// The route's template and not the path, which may hold what nobody else should see; without a
    /// route, as much of the path as may be shown. Nothing if no path has come.
    private static func appendInstance(of request: Request, to body: inout ByteBuffer) {
        if let route = request.route {
            body.append(#","instance":""#)
            append(template: route, to: &body)
        } else {
            let path = request.rawPath
            guard path.first == UInt8(ascii: "/") else { return }
            body.append(#","instance":""#)
            request.masker.maskPath(path, into: &body)
        }
        body.append(UInt8(ascii: "\""))
    }

    /// It must be a URI reference (RFC 9457, section 3.1.5), in which braces are not allowed.
    private static func append(template: String, to body: inout ByteBuffer) {
        for byte in template.utf8 {
            switch byte {
            case UInt8(ascii: "{"): body.append("%7B")
            case UInt8(ascii: "}"): body.append("%7D")
            default: body.append(byte)
            }
        }
    }

    private static func append(masked text: String, by masker: Masker, to body: inout ByteBuffer) {
        var masked = ByteBuffer(capacity: text.utf8.count + 16)
        var text = text
        text.withUTF8 { _ = masker.mask(UnsafeRawBufferPointer($0), as: .text, into: &masked) }
        body.append(jsonString: masked.span)
    }

    private func appendExtras(by masker: Masker, to body: inout ByteBuffer) {
        if let limit {
            body.append(#","limit":"#)
            body.append(decimal: limit)
        }
        if let parameter {
            body.append(#","parameter":"#)
            Problem.append(masked: parameter, by: masker, to: &body)
        }
        if let offset {
            body.append(#","offset":"#)
            body.append(decimal: offset)
        }
        if let errors {
            body.append(#","errors":"#)
            masker.mask(errors.span, as: .json, into: &body)
        }
    }

    static func title(_ status: Int) -> String {
        switch status {
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 417: "Expectation Failed"
        case 422: "Unprocessable Content"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        default: "Error"
        }
    }
}
