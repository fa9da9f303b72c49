internal import Glibc
import Primitives
import ProcessSupport

/// One blocking request to a service on this machine, on a connection of its own: a GET, or a POST of
/// events, one a line.
struct HTTPGet {
    let status: Int
    let body: Bytes

    /// - Parameters:
    ///   - field: one more line of the header.
    ///   - lines: events to post; nil gets.
    ///   - timeout: for each wait, not for the whole answer.
    init(
        port: UInt16, target: String, field: String? = nil, lines: String? = nil,
        timeout: Duration = .seconds(60)
    ) throws(BenchFailure) {
        let socket = try HTTPGet.connect(port, timeout)
        defer { close(socket) }
        var head = "\(lines == nil ? "GET" : "POST") \(target) HTTP/1.1\r\nHost: localhost\r\n"
        if let field { head += field + "\r\n" }
        if let lines {
            head += "Content-Type: application/x-ndjson\r\nContent-Length: \(lines.utf8.count)\r\n"
        }
        let request = Array((head + "Connection: close\r\n\r\n" + (lines ?? "")).utf8)
        var sent = 0
        while sent < request.count {
            let count = request.withUnsafeBytes {
                send(
                    socket, $0.baseAddress.map { $0 + sent }, request.count - sent,
                    Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw HTTPGet.failure("send") }
            sent += count
        }
        var reply = ByteBuffer(capacity: 16 << 10)
        while true {
            let space = reply.spare(16 << 10)
            let count = recv(socket, space.baseAddress, space.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw HTTPGet.failure("recv") }
            if count == 0 { break }
            reply.commit(count)
        }
        (status, body) = try HTTPGet.parse(reply.span)
    }

    private static func connect(_ port: UInt16, _ timeout: Duration) throws(BenchFailure) -> Int32 {
        let socket = try attempt("no reply") { try Loopback.connect(to: port) }
        var limit = timeval(tv_sec: Int(timeout.components.seconds), tv_usec: 0)
        setsockopt(
            socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        return socket
    }

    /// Ours always has a length, and the connection ends behind it, so the rest is the body.
    private static func parse(
        _ reply: UnsafeRawBufferPointer
    ) throws(BenchFailure) -> (Int, Bytes) {
        let gap = Array("\r\n\r\n".utf8)
        let end = reply.indices.first { reply[$0...].starts(with: gap) }
        let words = String(decoding: reply.prefix(32), as: UTF8.self).split(separator: " ")
        guard let end, words.count > 1, let status = Int(words[1]) else {
            throw BenchFailure("no HTTP reply: \(words)")
        }
        return (status, Bytes(reply[(end + gap.count)...]))
    }

    private static func failure(_ what: String) -> BenchFailure {
        BenchFailure("\(what): \(String(cString: strerror(errno)))")
    }
}
