internal import CMicroHTTPD
internal import Glibc
import Primitives

/// A reply that is written straight to a socket, where libmicrohttpd cannot send one. The connection
/// ends with it.
enum BareReply {
    static let tooManyConnections = Problem(
        503, "too_many_connections", "The connection limit is reached.")
    static let headerTooLarge = Problem(
        431, "header_too_large", "The header has too many fields.")
    static let requestTimeout = Problem(
        408, "request_timeout", "The request did not come in time.")

    /// Does not block: what the socket does not take at once is dropped.
    static func send(_ problem: Problem, for request: Request, to descriptor: Int32) {
        send(problem.response(for: request), for: request, to: descriptor)
    }

    /// Does not block either. A stream has no body here.
    static func send(_ response: Response, for request: Request, to descriptor: Int32) {
        let reply = bytes(response, for: request)
        _ = Glibc.send(
            descriptor, reply.base, reply.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    }

    /// - Parameter request: with its id, and its target where that has come.
    static func bytes(_ problem: Problem, for request: Request) -> Bytes {
        bytes(problem.response(for: request), for: request)
    }

    private static func bytes(_ response: Response, for request: Request) -> Bytes {
        var reply = ByteBuffer(capacity: 768)
        reply.append("HTTP/1.1 ")
        reply.append(decimal: response.status)
        reply.append(" ")
        reply.append(response.status < 300 ? "OK" : Problem.title(response.status))
        if let type = response.contentType {
            reply.append("\r\nContent-Type: ")
            reply.append(type)
        }
        reply.append("\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store")
        reply.append("\r\nX-Request-Id: ")
        reply.append(request.id.span)
        for (name, value) in response.headers {
            reply.append("\r\n")
            reply.append(name)
            reply.append(": ")
            reply.append(value)
        }
        reply.append("\r\nConnection: close\r\n")
        if response.status != 204 {
            reply.append("Content-Length: ")
            reply.append(decimal: response.bodyText.utf8.count)
            reply.append("\r\n")
        }
        reply.append("\r\n")
        reply.append(response.bodyText)
        return reply.freeze()
    }
}
