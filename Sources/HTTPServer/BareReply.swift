internal import CMicroHTTPD
internal import Glibc
import Primitives

/// A reply that is written straight to a socket, where libmicrohttpd cannot send one. The connection
/// ends with it.
enum BareReply {
    static let tooManyConnections = reply(
        "503 Service Unavailable", "too_many_connections", "The connection limit is reached.",
        "Retry-After: 1\r\n")
    static let headerTooLarge = reply(
        "431 Request Header Fields Too Large", "header_too_large",
        "The header has too many fields.", "")
    static let requestTimeout = reply(
        "408 Request Timeout", "request_timeout", "The request did not come in time.", "")

    /// Does not block: what the socket does not take at once is dropped.
    static func send(_ reply: Bytes, to descriptor: Int32) {
        _ = Glibc.send(
            descriptor, reply.base, reply.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    }

    private static func reply(
        _ status: String, _ code: String, _ detail: String, _ fields: String
    ) -> Bytes {
        let title = status.dropFirst(4)
        let body =
            #"{"type":"about:blank","title":"\#(title)","status":\#(status.prefix(3)),"code":"\#(code)","#
            + #""detail":"\#(detail)"}"# + "\n"
        return Bytes(
            "HTTP/1.1 \(status)\r\nContent-Type: application/problem+json\r\n"
                + "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n\(fields)"
                + "Connection: close\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }
}
