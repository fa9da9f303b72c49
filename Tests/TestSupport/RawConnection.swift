internal import Glibc
import Primitives

/// One connection of a `RawServer`. Its thread reads and writes; any thread may `end` it.
// `descriptor` is a lock; `buffer` belongs to its thread.
package final class RawConnection: @unchecked Sendable {
    package struct Request: Sendable {
        /// Request line and headers, without the empty line.
        package var head: String
        package var body: [UInt8]

        package var text: String { String(decoding: body, as: UTF8.self) }

        /// The value of a header, by its name in any case.
        package func header(_ name: String) -> String? {
            head.split(separator: "\r\n").first {
                $0.lowercased().hasPrefix(name.lowercased() + ":")
            }.map { line in
                String(line.dropFirst(name.count + 1).drop { $0 == " " })
            }
        }
    }

    /// Which connection of its server it is, from 0.
    package let index: Int
    /// -1 once it is closed, so that nobody touches a stranger's descriptor.
    private let descriptor: Locked<Int32>
    private let socket: Int32
    private var buffer: [UInt8] = []

    init(_ descriptor: Int32, index: Int) {
        self.index = index
        socket = descriptor
        self.descriptor = Locked(descriptor)
    }

    /// The next request, with a body by its `Content-Length`; nil once the client has gone.
    package func request() -> Request? {
        while true {
            if let end = headEnd {
                let head = String(decoding: buffer[..<end], as: UTF8.self)
                let request = Request(head: head, body: [])
                let length = request.header("Content-Length").flatMap { Int($0) } ?? 0
                if buffer.count >= end + 4 + length {
                    let body = Array(buffer[(end + 4)..<(end + 4 + length)])
                    buffer.removeFirst(end + 4 + length)
                    return Request(head: head, body: body)
                }
            }
            var chunk = [UInt8](repeating: 0, count: 64 << 10)
            let count = recv(socket, &chunk, chunk.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return nil }
            buffer += chunk[..<count]
        }
    }

    /// - Returns: false once the client has gone.
    @discardableResult
    package func send(_ text: String) -> Bool {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            bytes = bytes.dropFirst(count)
        }
        return true
    }

    /// A whole reply with its length.
    @discardableResult
    package func reply(_ status: Int, headers: [String] = [], body: String = "") -> Bool {
        let lines = ["HTTP/1.1 \(status) Any", "Content-Length: \(body.utf8.count)"] + headers
        return send(lines.joined(separator: "\r\n") + "\r\n\r\n" + body)
    }

    /// Says nothing until the client or the test ends the connection.
    package func hang() {
        var byte: UInt8 = 0
        while recv(socket, &byte, 1, 0) > 0 {}
    }

    /// Makes the coming close a reset: what a server that crashed leaves behind.
    package func resetOnClose() { Loopback.resetOnClose(socket) }

    /// Ends whatever its thread waits for. Any thread.
    func end() {
        descriptor.withLock { if $0 >= 0 { shutdown($0, Int32(SHUT_RDWR)) } }
    }

    func close() {
        descriptor.withLock { descriptor in
            if descriptor >= 0 { Glibc.close(descriptor) }
            descriptor = -1
        }
    }

    private var headEnd: Int? {
        let mark = Array("\r\n\r\n".utf8)
        guard buffer.count >= mark.count else { return nil }
        return (0...(buffer.count - mark.count)).first { start in
            buffer[start] == mark[0] && Array(buffer[start..<(start + 4)]) == mark
        }
    }
}
