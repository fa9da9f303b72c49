internal import Glibc
import Primitives

/// One TCP connection to a service on this machine: a small blocking HTTP/1.1 client that sends
/// what it is told, malformed requests included. One thread at a time.
final class HTTPConnection {
    private let socket: Int32
    /// For each wait, not for a whole reply.
    private let timeout: Duration
    private var buffer: [UInt8] = []
    private var start = 0
    /// The last request, for the message of a failure.
    private var asked = "nothing"

    init(port: UInt16, timeout: Duration = .seconds(30)) throws {
        self.timeout = timeout
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw TestError("socket: errno \(errno)") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if code != 0 {
            let reason = errno
            close(socket)
            throw TestError("connect to port \(port): \(String(cString: strerror(reason)))")
        }
        var on: Int32 = 1
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &on, 4)
    }

    deinit { close(socket) }

    // MARK: Sending

    /// Sends bytes as they are. A peer that has closed is an error here, not a signal.
    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { all in
                Glibc.send(
                    socket, all.baseAddress.map { $0 + sent }, all.count - sent,
                    Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw TestError("send: \(String(cString: strerror(errno)))")
            }
            sent += count
        }
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// Sends a whole request. `Host` is added, and `Content-Length` where there is a body.
    func send(
        _ method: String, _ target: String, headers: [String: String] = [:], body: [UInt8]? = nil
    ) throws {
        asked = "\(method) \(target)"
        var head = "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n"
        if let body { head += "Content-Length: \(body.count)\r\n" }
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        try send(Array((head + "\r\n").utf8) + (body ?? []))
    }

    /// Says that no more will be sent, and stays ready to receive.
    func finishSending() { shutdown(socket, Int32(SHUT_WR)) }

    /// Makes the coming close a reset: what a client that crashed leaves behind.
    func resetOnClose() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            socket, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
    }

    // MARK: Receiving

    /// The next reply, whole. Interim replies (1xx) are passed over.
    /// - Parameter toHead: the request was a HEAD, so no body follows.
    func receive(toHead: Bool = false) throws -> HTTPReply {
        var reply = try receiveHead()
        while reply.status < 200 { reply = try receiveHead() }
        guard !toHead, reply.hasBody else { return reply }
        if reply.isChunked {
            while let chunk = try receiveChunk() { reply.body += chunk }
        } else if let length = reply.header("Content-Length").flatMap({ Int($0) }) {
            reply.body = try take(length)
        } else {
            reply.body = try receiveToEnd()
        }
        return reply
    }

    /// Status and headers of the next reply; the body is still to come.
    func receiveHead() throws -> HTTPReply {
        let line = try takeLine()
        let parts = line.split(separator: " ", maxSplits: 2)
        guard parts.count >= 2, parts[0].hasPrefix("HTTP/1."), let status = Int(parts[1]) else {
            throw TestError("no status line: \(line.prefix(200))")
        }
        var reply = HTTPReply(status: status, headers: [])
        while true {
            let line = try takeLine()
            if line.isEmpty { return reply }
            guard let colon = line.firstIndex(of: ":") else {
                throw TestError("no header: \(line.prefix(200))")
            }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            reply.headers.append((String(line[..<colon]), String(value)))
        }
    }

    /// One chunk of a chunked body: what a server-sent event arrives in; nil after the last.
    func receiveChunk() throws -> [UInt8]? {
        let line = try takeLine()
        guard let size = Int(line.prefix { $0 != ";" }, radix: 16) else {
            throw TestError("no chunk size: \(line.prefix(200))")
        }
        let chunk = try take(size)
        guard try takeLine().isEmpty else { throw TestError("a chunk does not end where it says") }
        return size == 0 ? nil : chunk
    }

    /// Everything until the peer closes.
    func receiveToEnd() throws -> [UInt8] {
        while try fill() {}
        return try take(buffer.count - start)
    }

    /// True once the peer has closed or reset; false if it still has not after `limit`. What it
    /// sends until then is thrown away.
    func isClosedByPeer(within limit: Duration) -> Bool {
        let deadline = Deadline.after(limit)
        while !deadline.hasPassed {
            guard let isOpen = try? fill(within: deadline.remaining) else { continue }
            if !isOpen { return true }
            start = buffer.count
        }
        return false
    }

    private func takeLine() throws -> String {
        var searched = start
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { start = end + 1 }
                let line = buffer[start..<end]
                return String(decoding: line.last == 13 ? line.dropLast() : line, as: UTF8.self)
            }
            searched = buffer.count
            guard try fill() else { throw TestError("closed in the middle of a reply to \(asked)") }
        }
    }

    private func take(_ count: Int) throws -> [UInt8] {
        while buffer.count - start < count {
            guard try fill() else { throw TestError("closed in the middle of a body for \(asked)") }
        }
        defer {
            start += count
            if start == buffer.count {
                buffer.removeAll(keepingCapacity: true)
                start = 0
            }
        }
        return Array(buffer[start..<start + count])
    }

    /// Reads what is there, waiting for at least one byte.
    /// - Returns: false when the peer has closed.
    private func fill(within limit: Duration? = nil) throws -> Bool {
        var poll = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        let milliseconds = Int32(clamping: (limit ?? timeout).wholeMilliseconds)
        guard Glibc.poll(&poll, 1, milliseconds) > 0 else {
            throw TestError("nothing received within \(milliseconds) ms for \(asked)")
        }
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(socket, &chunk, chunk.count, 0)
        if count < 0, errno == EINTR { return true }
        // A reset ends a connection as surely as a close.
        guard count > 0 else {
            if count < 0 { asked += " (errno \(errno))" }
            return false
        }
        buffer.append(contentsOf: chunk[..<count])
        return true
    }
}
