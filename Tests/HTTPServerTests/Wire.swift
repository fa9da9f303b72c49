import Glibc
import Primitives

/// One TCP connection to a server on this machine: a blocking client that sends what it is told,
/// malformed requests included. One thread at a time.
final class Wire {
    let socket: Int32
    /// For each wait, not for a whole reply.
    private let timeout: Duration
    private var buffer: [UInt8] = []
    private var start = 0

    /// - Parameter receiveBytes: the socket's receive buffer, for a client that reads slowly.
    init(port: UInt16, timeout: Duration = .seconds(20), receiveBytes: Int32? = nil) throws {
        self.timeout = timeout
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw WireError("socket: errno \(errno)") }
        if var receiveBytes {
            setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &receiveBytes, 4)
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else { throw WireError("connect: errno \(errno)") }
        var on: Int32 = 1
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &on, 4)
    }

    deinit { close(socket) }

    // MARK: Sending

    /// A peer that has closed is an error here, not a signal.
    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { all in
                Glibc.send(
                    socket, all.baseAddress.map { $0 + sent }, all.count - sent,
                    Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw WireError("send: errno \(errno)") }
            sent += count
        }
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// A request for `target` with `Host`, and with `Content-Length` where there is a body.
    func send(
        _ method: String, _ target: String, _ headers: [String] = [], body: String? = nil
    ) throws {
        let length = body.map { ["Content-Length: \($0.utf8.count)"] } ?? []
        let lines = ["\(method) \(target) HTTP/1.1", "Host: localhost"] + length + headers
        try send(lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? ""))
    }

    /// Sends a request and receives its reply.
    func ask(
        _ method: String, _ target: String, _ headers: [String] = [], body: String? = nil
    ) throws -> WireReply {
        try send(method, target, headers, body: body)
        return try receive(toHead: method == "HEAD")
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
    func receive(toHead: Bool = false) throws -> WireReply {
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
    func receiveHead() throws -> WireReply {
        let line = try takeLine()
        let parts = line.split(separator: " ", maxSplits: 2)
        guard parts.count >= 2, parts[0].hasPrefix("HTTP/1."), let status = Int(parts[1]) else {
            throw WireError("no status line: \(line.prefix(200))")
        }
        var reply = WireReply(status: status, version: String(parts[0]))
        while true {
            let line = try takeLine()
            if line.isEmpty { return reply }
            guard let colon = line.firstIndex(of: ":") else {
                throw WireError("no header: \(line.prefix(200))")
            }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            reply.headers.append((String(line[..<colon]), String(value)))
        }
    }

    /// One chunk of a chunked body; nil after the last.
    func receiveChunk() throws -> [UInt8]? {
        let line = try takeLine()
        guard let size = Int(line.prefix { $0 != ";" }, radix: 16) else {
            throw WireError("no chunk size: \(line.prefix(200))")
        }
        let chunk = try take(size)
        guard try takeLine().isEmpty else { throw WireError("a chunk does not end where it says") }
        return size == 0 ? nil : chunk
    }

    /// Everything until the peer closes.
    func receiveToEnd() throws -> [UInt8] {
        while try fill() {}
        return try take(buffer.count - start)
    }

    /// True once the peer has closed or reset; false if it still has not after `limit`. What it
    /// sends until then is thrown away.
    func isClosed(within limit: Duration = .seconds(10)) -> Bool {
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
            guard try fill() else { throw WireError("closed in the middle of a reply") }
        }
    }

    private func take(_ count: Int) throws -> [UInt8] {
        while buffer.count - start < count {
            guard try fill() else { throw WireError("closed in the middle of a body") }
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
            throw WireError("nothing received within \(milliseconds) ms")
        }
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(socket, &chunk, chunk.count, 0)
        if count < 0, errno == EINTR { return true }
        // A reset ends a connection as surely as a close.
        guard count > 0 else { return false }
        buffer.append(contentsOf: chunk[..<count])
        return true
    }
}
