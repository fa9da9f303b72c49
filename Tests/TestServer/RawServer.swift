import Glibc
import Primitives

/// A server on a free port of this machine that says exactly what a test tells it to, byte by
/// byte. Everything it opened ends with it.
final class RawServer: @unchecked Sendable {  // `state` is a lock; the rest does not change.
    struct Failure: Error { let call: String, code: Int32 }

    private struct State {
        var connections: [RawConnection] = []
        var threads: [Thread] = []
        var isClosed = false
    }

    let port: UInt16
    private let listener: Int32
    private let handler: @Sendable (RawConnection) -> Void
    private let state = Locked(State())
    private let acceptor: Locked<Thread?> = Locked(nil)

    /// - Parameter handler: serves one connection, on a thread of its own; the connection is
    ///   closed when it returns.
    init(_ handler: @escaping @Sendable (RawConnection) -> Void) throws {
        self.handler = handler
        (listener, port) = try RawServer.listen()
        let (listener, state) = (listener, state)
        let thread = Thread(name: "raw-server") {
            RawServer.accept(on: listener, state, handler)
        }
        acceptor.withLock { $0 = thread }
    }

    deinit { close() }

    var url: String { "http://127.0.0.1:\(port)/" }

    /// Connections taken so far.
    var connectionCount: Int { state.withLock { $0.connections.count } }

    /// Refuses new connections and ends those that are open.
    func close() {
        let connections = state.withLock { state in
            state.isClosed = true
            return state.connections
        }
        guard
            let thread = acceptor.withLock({ acceptor -> Thread? in
                defer { acceptor = nil }
                return acceptor
            })
        else { return }
        shutdown(listener, Int32(SHUT_RDWR))
        thread.join()
        Glibc.close(listener)
        for connection in connections { connection.end() }
        for thread in state.withLock({ $0.threads }) { thread.join() }
    }

    private static func accept(
        on listener: Int32, _ state: Locked<State>,
        _ handler: @escaping @Sendable (RawConnection) -> Void
    ) {
        while true {
            let descriptor = Glibc.accept4(listener, nil, nil, Int32(SOCK_CLOEXEC.rawValue))
            if descriptor < 0, errno == EINTR || errno == ECONNABORTED { continue }
            guard descriptor >= 0 else { return }
            state.withLock { state in
                let connection = RawConnection(descriptor, index: state.connections.count)
                state.connections.append(connection)
                let thread = Thread(name: "raw-connection") {
                    handler(connection)
                    connection.close()
                }
                state.threads.append(thread)
                if state.isClosed { connection.end() }
            }
        }
    }

    private static func listen() throws -> (descriptor: Int32, port: UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(call: "socket", code: errno) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, size) == 0 && Glibc.listen(descriptor, 128) == 0
                    && getsockname(descriptor, address, &size) == 0 ? 0 : errno
            }
        }
        guard code == 0 else {
            Glibc.close(descriptor)
            throw Failure(call: "bind", code: code)
        }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }
}

/// One connection of a `RawServer`. Its thread reads and writes; any thread may `end` it.
final class RawConnection: @unchecked Sendable {  // `state` is a lock; `buffer`: its thread.
    struct Request: Sendable {
        /// Request line and headers, without the empty line.
        var head: String
        var body: [UInt8]

        var text: String { String(decoding: body, as: UTF8.self) }

        /// The value of a header, by its name in any case.
        func header(_ name: String) -> String? {
            head.split(separator: "\r\n").first {
                $0.lowercased().hasPrefix(name.lowercased() + ":")
            }.map { line in
                String(line.dropFirst(name.count + 1).drop { $0 == " " })
            }
        }
    }

    /// Which connection of its server it is, from 0.
    let index: Int
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
    func request() -> Request? {
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
    func send(_ text: String) -> Bool {
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
    func reply(_ status: Int, headers: [String] = [], body: String = "") -> Bool {
        let lines = ["HTTP/1.1 \(status) Any", "Content-Length: \(body.utf8.count)"] + headers
        return send(lines.joined(separator: "\r\n") + "\r\n\r\n" + body)
    }

    /// Says nothing until the client or the test ends the connection.
    func hang() {
        var byte: UInt8 = 0
        while recv(socket, &byte, 1, 0) > 0 {}
    }

    /// Makes the coming close a reset: what a server that crashed leaves behind.
    func resetOnClose() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            socket, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
    }

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
