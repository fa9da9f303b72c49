internal import Glibc
import Primitives

/// One blocking GET with a deadline for all of it, so that a service that hangs counts as ill.
struct HealthRequest {
    let target: HealthTarget
    let path: String
    let timeout: Duration

    /// Why there was no good answer.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// - Returns: what was asked and how it was answered.
    /// - Throws: if the service cannot be reached, is late, or answers anything but 200.
    func send() throws(Failure) -> String {
        let deadline = Deadline.after(timeout)
        let socket = try connect(before: deadline)
        defer { close(socket) }
        let request = Array(
            "GET \(path) HTTP/1.1\r\nHost: \(target.authority)\r\nConnection: close\r\n\r\n".utf8)
        // It fits every send buffer; less than all of it is a connection that broke.
        guard
            Glibc.send(socket, request, request.count, Int32(MSG_NOSIGNAL))
                == request.count
        else { throw failure("broke the connection: \(reason())") }
        let line = try statusLine(from: socket, before: deadline)
        let words = line.split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("HTTP/1.") else {
            throw failure("answered with something that is not HTTP")
        }
        guard words[1] == "200" else { throw failure("answered \(words[1])") }
        return "http://\(target.authority)\(path) answered 200"
    }

    func connect(before deadline: Deadline) throws(Failure) -> Int32 {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(target.host, "\(target.port)", &hints, &list)
        guard result == 0 else {
            throw failure("cannot be found: \(String(cString: gai_strerror(result)))")
        }
        defer { freeaddrinfo(list) }
        var last = failure("has no address")
        var next = list
        while let address = next?.pointee {
            do { return try connect(to: address, before: deadline) } catch { last = error }
            next = address.ai_next
        }
        throw last
    }

    private func connect(to address: addrinfo, before deadline: Deadline) throws(Failure) -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let socket = Glibc.socket(address.ai_family, kind, 0)
        guard socket >= 0 else { throw failure("cannot be asked: \(reason())") }
        do throws(Failure) {
            if Glibc.connect(socket, address.ai_addr, address.ai_addrlen) != 0 {
                guard errno == EINPROGRESS else { throw failure("cannot be reached: \(reason())") }
                try wait(for: POLLOUT, on: socket, before: deadline)
                var code: Int32 = 0
                var size = socklen_t(MemoryLayout<Int32>.size)
                getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &size)
                guard code == 0 else {
                    throw failure("cannot be reached: \(String(cString: strerror(code)))")
                }
            }
            return socket
        } catch {
            close(socket)
            throw error
        }
    }

    /// The first line of the reply, of at most 1 KiB.
    private func statusLine(from socket: Int32, before deadline: Deadline) throws(Failure) -> String
    {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1024)
        while !bytes.contains(UInt8(ascii: "\n")) {
            try wait(for: POLLIN, on: socket, before: deadline)
            let count = recv(socket, &chunk, chunk.count, 0)
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count >= 0 else { throw failure("broke the connection: \(reason())") }
            guard count > 0, bytes.count + count <= 16 << 10 else {
                throw failure("closed the connection without an answer")
            }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
    }

    func wait(
        for events: Int32, on socket: Int32, before deadline: Deadline
    ) throws(Failure) {
        while true {
            var entry = pollfd(fd: socket, events: Int16(events), revents: 0)
            let milliseconds = Int32(clamping: deadline.remaining.wholeMilliseconds)
            let ready = poll(&entry, 1, milliseconds)
            if ready > 0 { return }
            if ready < 0, errno == EINTR { continue }
            throw failure("did not answer within \(DurationText.format(timeout))")
        }
    }

    func failure(_ what: String) -> Failure {
        Failure(description: "http://\(target.authority)\(path) \(what)")
    }

    func reason() -> String { String(cString: strerror(errno)) }
}
