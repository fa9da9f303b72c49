internal import Glibc
import ProcessSupport

/// One TCP connection to a server on this machine: a small blocking HTTP/1.1 client that sends
/// what it is told, malformed requests included. One thread at a time.
package final class ClientConnection {
    let socket: Int32
    /// For each wait, not for a whole reply.
    let timeout: Duration
    /// What was received; the part before `start` has been taken.
    var buffer: [UInt8] = []
    var start = 0
    /// The last request, for the message of a failure.
    var asked = "nothing"

    /// - Parameters:
    ///   - timeout: for each wait, not for a whole reply.
    ///   - receiveBytes: the socket's receive buffer, for a client that reads slowly; the system's
    ///     own choice if nil.
    /// - Throws: ``TestError`` if nobody listens.
    package init(
        port: UInt16, timeout: Duration = .seconds(30) * slowness, receiveBytes: Int32? = nil
    ) throws {
        self.timeout = timeout
        socket = try Loopback.connect(to: port, receiveBytes: receiveBytes)
    }

    deinit { close(socket) }

    /// Sends bytes as they are. A peer that has closed is an error here, not a signal.
    package func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { all in
                Glibc.send(
                    socket, all.baseAddress.map { $0 + sent }, all.count - sent,
                    Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SystemFailure("send", errno: errno) }
            sent += count
        }
    }

    /// Sends text as it is.
    package func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// Sends a whole request. `Host` is added, and `Content-Length` where there is a body.
    /// - Parameter headers: lines without their ends.
    package func send(
        _ method: String, _ target: String, _ headers: [String] = [], body: [UInt8]? = nil
    ) throws {
        asked = "\(method) \(target)"
        let length = body.map { ["Content-Length: \($0.count)"] } ?? []
        let lines = ["\(method) \(target) HTTP/1.1", "Host: localhost"] + length + headers
        try send(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + (body ?? []))
    }

    /// The same with a body of text.
    package func send(
        _ method: String, _ target: String, _ headers: [String] = [], body: String
    ) throws {
        try send(method, target, headers, body: Array(body.utf8))
    }

    /// The same with headers whose order does not matter.
    package func send(
        _ method: String, _ target: String, headers: [String: String], body: [UInt8]? = nil
    ) throws {
        try send(method, target, headers.map { "\($0): \($1)" }, body: body)
    }

    /// Sends a request and receives its reply.
    package func ask(
        _ method: String, _ target: String, _ headers: [String] = [], body: String? = nil
    ) throws -> ClientReply {
        try send(method, target, headers, body: body.map { Array($0.utf8) })
        return try receive(toHead: method == "HEAD")
    }

    /// Says that no more will be sent, and stays ready to receive.
    package func finishSending() { shutdown(socket, Int32(SHUT_WR)) }

    /// Makes the coming close a reset: what a client that crashed leaves behind.
    package func resetOnClose() { Loopback.resetOnClose(socket) }
}
