internal import Glibc
import Primitives

extension ClientConnection {
    /// The next reply, whole. Interim replies (1xx) are passed over.
    /// - Parameter toHead: the request was a HEAD, so no body follows.
    package func receive(toHead: Bool = false) throws -> ClientReply {
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
    package func receiveHead() throws -> ClientReply {
        let line = try takeLine()
        let parts = line.split(separator: " ", maxSplits: 2)
        guard parts.count >= 2, parts[0].hasPrefix("HTTP/1."), let status = Int(parts[1]) else {
            throw TestError("no status line: \(line.prefix(200))")
        }
        var reply = ClientReply(status: status, version: String(parts[0]))
        while true {
            let line = try takeLine()
            if line.isEmpty { return reply }
            guard let colon = line.firstIndex(of: ":") else {
                throw TestError("no header: \(line.prefix(200))")
            }
            var value = line[line.index(after: colon)...].drop { $0 == " " }
            // RFC 9110, section 5.5.
            while value.last == " " { value.removeLast() }
            reply.headers.append((String(line[..<colon]), String(value)))
        }
    }

    /// One chunk of a chunked body: what a server-sent event arrives in; nil after the last.
    package func receiveChunk() throws -> [UInt8]? {
        let line = try takeLine()
        guard let size = Int(line.prefix { $0 != ";" }, radix: 16) else {
            throw TestError("no chunk size: \(line.prefix(200))")
        }
        let chunk = try take(size)
        guard try takeLine().isEmpty else { throw TestError("a chunk does not end where it says") }
        return size == 0 ? nil : chunk
    }

    /// Everything until the peer closes.
    package func receiveToEnd() throws -> [UInt8] {
        while try fill() {}
        return try take(buffer.count - start)
    }

    /// True once the peer has closed or reset; false if it still has not after `limit`. What it
    /// sends until then is thrown away.
    package func isClosed(within limit: Duration = .seconds(10)) -> Bool {
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
