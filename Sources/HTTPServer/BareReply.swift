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
        let reply = bytes(problem, for: request)
        _ = Glibc.send(
            descriptor, reply.base, reply.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    }

    /// - Parameter request: with its id, and its target where that has come.
    static func bytes(_ problem: Problem, for request: Request) -> Bytes {
        let body = problem.body(for: request)
        var reply = ByteBuffer(capacity: 768)
        reply.append("HTTP/1.1 ")
        reply.append(decimal: problem.status)
        reply.append(" ")
        reply.append(Problem.title(problem.status))
        reply.append("\r\nContent-Type: application/problem+json\r\n")
        reply.append("X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nX-Request-Id: ")
        reply.append(request.id.span)
        if let seconds = problem.retryAfterSeconds {
            reply.append("\r\nRetry-After: ")
            reply.append(decimal: seconds)
        }
        reply.append("\r\nConnection: close\r\nContent-Length: ")
        reply.append(decimal: body.count)
        reply.append("\r\n\r\n")
        reply.append(body.span)
        return reply.freeze()
    }
}
