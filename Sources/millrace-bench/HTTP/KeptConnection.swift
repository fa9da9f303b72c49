internal import Glibc
import Primitives
import ProcessSupport

/// One connection to a service on this machine, kept for requests one after the other: the cheapest
/// client there is, so that a benchmark measures the server. One thread at a time.
///
///     let connection = try KeptConnection(port: server.port)
///     let status = try connection.ask(KeptConnection.post("/logs", lines: body.span))
final class KeptConnection {
    private struct Reply {
        var status: Int
        /// The server ends the connection after it.
        var isLast: Bool
    }

    private let port: UInt16
    private var socket: Int32
    private var reply = ByteBuffer(capacity: 64 << 10)

    init(port: UInt16) throws(BenchFailure) {
        self.port = port
        socket = try KeptConnection.connect(port)
    }

    deinit { close(socket) }

    private static func connect(_ port: UInt16) throws(BenchFailure) -> Int32 {
        let socket = try attempt("no connection") { () throws(SystemFailure) in
            try Loopback.connect(to: port)
        }
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(
            socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        return socket
    }

    /// A whole request that posts `lines`, for `ask`.
    static func post(_ target: String, lines: UnsafeRawBufferPointer) -> Bytes {
        var request = ByteBuffer(capacity: lines.count + 256)
        request.append("POST \(target) HTTP/1.1\r\nHost: localhost\r\n")
        request.append("Content-Type: application/x-ndjson\r\nContent-Length: ")
        request.append(decimal: lines.count)
        request.append("\r\n\r\n")
        request.append(lines)
        return request.freeze()
    }

    /// A whole request that gets `target`, for `ask`.
    static func get(_ target: String) -> Bytes {
        Bytes("GET \(target) HTTP/1.1\r\nHost: localhost\r\n\r\n")
    }

    /// Sends a request and reads its whole reply; connects anew after one that ends the connection.
    /// - Returns: the status of the reply.
    func ask(_ request: Bytes) throws(BenchFailure) -> Int {
        var sent = 0
        while sent < request.count {
            let rest = UnsafeRawBufferPointer(rebasing: request.span[sent...])
            let count = send(socket, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw KeptConnection.failure("send") }
            sent += count
        }
        withExtendedLifetime(request) {}
        reply.removeAll()
        while true {
            let space = reply.spare(16 << 10)
            let count = recv(socket, space.baseAddress, space.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw KeptConnection.failure("recv") }
            reply.commit(count)
            guard let found = try KeptConnection.parse(reply.span) else { continue }
            if found.isLast {
                let next = try KeptConnection.connect(port)
                close(socket)
                socket = next
            }
            return found.status
        }
    }

    /// Nil while the reply is not whole. Ours always says how long it is.
    private static func parse(_ reply: UnsafeRawBufferPointer) throws(BenchFailure) -> Reply? {
        guard let head = reply.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let text = String(decoding: reply[..<head.lowerBound], as: UTF8.self)
        let lines = text.split(separator: "\r\n")
        let length = lines.first { $0.lowercased().hasPrefix("content-length:") }
            .flatMap { Int($0.drop { $0 != " " }.dropFirst()) }
        let words = lines.first?.split(separator: " ") ?? []
        guard let length, words.count > 1, let status = Int(words[1]) else {
            throw BenchFailure("no HTTP reply: \(text.prefix(200))")
        }
        guard reply.count >= head.upperBound + length else { return nil }
        let isLast = lines.contains { $0.lowercased() == "connection: close" }
        return Reply(status: status, isLast: isLast)
    }

    private static func failure(_ what: String) -> BenchFailure {
        BenchFailure("\(what): \(String(cString: strerror(errno)))")
    }
}
