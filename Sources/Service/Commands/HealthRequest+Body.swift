internal import Glibc
import Primitives

extension HealthRequest {
    /// More than any reply that a command asks for.
    private static let bodyLimitBytes = 64 << 20

    /// Asks and takes the whole reply.
    /// - Parameter key: what `Authorization` carries; nil for none.
    /// - Returns: the body of a 200.
    /// - Throws: if the service cannot be reached, is late, or answers anything but 200.
    func body(key: String?) throws(Failure) -> [UInt8] {
        let deadline = Deadline.after(timeout)
        let socket = try connect(before: deadline)
        defer { close(socket) }
        let authorization = key.map { "Authorization: Bearer \($0)\r\n" } ?? ""
        let request = Array(
            ("GET \(path) HTTP/1.1\r\nHost: \(target.authority)\r\n\(authorization)"
                + "Accept-Encoding: identity\r\nConnection: close\r\n\r\n").utf8)
        guard
            Glibc.send(socket, request, request.count, Int32(MSG_NOSIGNAL)) == request.count
        else { throw failure("broke the connection: \(reason())") }
        let reply = try everything(from: socket, before: deadline)
        let end = Array("\r\n\r\n".utf8)
        guard
            let headEnd = reply.indices.dropLast(3).first(where: { reply[$0...].starts(with: end) })
        else { throw failure("answered with something that is not HTTP") }
        let words =
            String(decoding: reply[..<headEnd], as: UTF8.self)
            .split(separator: "\r\n").first?.split(separator: " ") ?? []
        guard words.count >= 2, words[0].hasPrefix("HTTP/1.") else {
            throw failure("answered with something that is not HTTP")
        }
        guard words[1] == "200" else { throw failure("answered \(words[1])") }
        return Array(reply[(headEnd + end.count)...])
    }

    /// Until the service closes the connection, as it was asked to.
    private func everything(
        from socket: Int32, before deadline: Deadline
    ) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            try wait(for: POLLIN, on: socket, before: deadline)
            let count = recv(socket, &chunk, chunk.count, 0)
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count >= 0 else { throw failure("broke the connection: \(reason())") }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= HealthRequest.bodyLimitBytes else {
                throw failure("answered with more than this reads")
            }
        }
    }
}
