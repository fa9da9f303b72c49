import Primitives
import TestSupport
import Testing

@testable import HTTPServer

/// Requests are judged by their header, before any byte of their body is read.
@Suite struct AccessTests {
    /// Knows the key `right`, for anything that is not public.
    private static let authorize: Authorizer = { (request, access) throws(Problem) in
        if access == .public { return .anonymous }
        guard request.headers.text("authorization") == "Bearer right" else {
            var problem = Problem(401, "missing_key", "A key is needed.")
            problem.headers.append(("WWW-Authenticate", "Bearer"))
            throw problem
        }
        return Principal(name: "ci", scopes: ["write"])
    }

    private let seen: Monitor<[String]>
    private let server: HTTPServer

    init() throws {
        var router = Router()
        let seen = Monitor<[String]>([])
        let note: Handler = { request, responder in
            let line = "\(request.principal.name) \(request.body.count)"
            seen.change { $0.append(line) }
            responder.respond(.text(200, line))
        }
        for method: HTTPMethod in [.post, .put, .patch, .delete, .get] {
            router.on(method, "/closed", access: .scope("write"), bodyLimit: .standard, note)
        }
        router.on(.post, "/small", access: .public, bodyLimit: .bytes(10), note)
        router.on(.post, "/bodyless", access: .public, bodyLimit: .none, note)
        self.seen = seen
        server = try HTTPServer(
            options: HTTPServerOptions(), log: .silent,
            Application(router, authorize: AccessTests.authorize))
        server.start()
    }

    private func stop() { server.stop(until: .after(.seconds(1))) }

    private func head(_ method: String, _ path: String, _ fields: String) -> String {
        "\(method) \(path) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n"
    }

    @Test(arguments: ["POST", "PUT", "PATCH", "DELETE", "GET"])
    func `refuses a body of 10 MiB without a key and reads less than 64 KiB of it`(
        _ method: String
    ) throws {
        defer { stop() }
        let wire = try ClientConnection(port: server.port)
        try wire.send(head(method, "/closed", "Content-Length: 10485760"))
        // Fills what kernels hold on both sides, so that the rest goes only where it is read.
        let sender = BodySender(wire, bytes: 10 << 20)
        let reply = try wire.receive()
        #expect(reply.status == 401)
        #expect(reply.header("WWW-Authenticate") == "Bearer")
        #expect(reply.problemCode == "missing_key")
        #expect(reply.problemInstance == "/closed")
        #expect(reply.closesConnection)
        #expect(sender.end() < 10 << 20)
        #expect(seen.withLock { $0 }.isEmpty)
    }

    @Test(arguments: ["POST", "PUT", "PATCH", "DELETE"])
    func `sends no 100 to whom it refuses`(_ method: String) throws {
        defer { stop() }
        let wire = try ClientConnection(port: server.port)
        try wire.send(
            head(method, "/closed", "Expect: 100-continue\r\nContent-Length: 10485760"))
        let received = String(decoding: try wire.receiveToEnd(), as: UTF8.self)
        #expect(received.hasPrefix("HTTP/1.1 401 "), "\(received)")
        #expect(!received.contains("100 Continue"))
    }

    @Test(arguments: ["POST", "PUT", "PATCH", "DELETE"])
    func `refuses a chunked body without a key at once`(_ method: String) throws {
        defer { stop() }
        let wire = try ClientConnection(port: server.port)
        try wire.send(head(method, "/closed", "Transfer-Encoding: chunked"))
        let reply = try wire.receive()
        #expect(reply.status == 401 && reply.closesConnection)
    }

    @Test func `gives the reply to a client that sends its small body first`() throws {
        defer { stop() }
        for size in [1, 1000, 20_000] {
            for _ in 0..<20 {
                let wire = try ClientConnection(port: server.port)
                try wire.send(head("POST", "/closed", "Content-Length: \(size)"))
                try wire.send(String(repeating: "x", count: size))
                #expect(try wire.receive().status == 401)
                #expect(wire.isClosed())
            }
        }
    }

    @Test func `keeps the connection of a refused request without a body`() throws {
        defer { stop() }
        let wire = try ClientConnection(port: server.port)
        for method in ["POST", "GET", "DELETE"] {
            #expect(try wire.ask(method, "/closed", ["Content-Length: 0"]).status == 401)
        }
        let reply = try wire.ask("POST", "/closed", ["Authorization: Bearer right"], body: "abc")
        #expect(reply.text == "ci 3")
        // The next request on the connection is nobody's again.
        #expect(try wire.ask("POST", "/bodyless").text == "anonymous 0")
        #expect(try wire.ask("GET", "/closed").status == 401)
    }

    @Test func `limits a body by its route, as announced and as it comes`() throws {
        defer { stop() }
        let wire = try ClientConnection(port: server.port)
        #expect(try wire.ask("POST", "/small", body: "0123456789").text == "anonymous 10")
        let announced = try wire.ask("POST", "/small", body: "0123456789a")
        #expect(announced.status == 413 && announced.closesConnection)
        #expect(try JSONValue.parse(announced.text)["limit"] == .integer(10))
        let chunked = try ClientConnection(port: server.port)
        try chunked.send(
            head("POST", "/small", "Transfer-Encoding: chunked") + "b\r\n0123456789a\r\n0\r\n\r\n")
        #expect(try chunked.receive().status == 413)
    }

    @Test func `throws away a small body where none is wanted, and refuses a large one`() throws {
        defer { stop() }
        let wire = try ClientConnection(port: server.port)
        #expect(try wire.ask("POST", "/bodyless", body: "{}").text == "anonymous 0")
        let most = String(repeating: "x", count: BodyLimit.ignoredBytes)
        #expect(try wire.ask("POST", "/bodyless", body: most).text == "anonymous 0")
        #expect(try wire.ask("POST", "/bodyless", body: most + "x").status == 413)
    }

    @Test func `answers 404, 405 and OPTIONS before a body comes`() throws {
        defer { stop() }
        for (method, path, status) in [
            ("POST", "/nowhere", 404), ("PUT", "/small", 405), ("OPTIONS", "/small", 204),
            ("DELETE", "/small", 405),
        ] {
            let wire = try ClientConnection(port: server.port)
            try wire.send(head(method, path, "Content-Length: 1000000"))
            let reply = try wire.receive()
            #expect(reply.status == status && reply.closesConnection)
            let other = try ClientConnection(port: server.port)
            let kept = try other.ask(method, path)
            #expect(kept.status == status && !kept.closesConnection)
            if status != 404 { #expect(kept.header("Allow") == "OPTIONS, POST") }
        }
    }
}

/// Sends a body on a thread of its own until all of it is gone or the connection breaks.
private final class BodySender: Sendable {
    private let sent = Locked(0)
    private let thread: Thread

    init(_ wire: ClientConnection, bytes: Int) {
        let piece = [UInt8](repeating: 0x78, count: 64 << 10)
        // This thread only sends, and the test only receives.
        nonisolated(unsafe) let wire = wire
        thread = Thread(name: "body") { [sent] in
            while sent.withLock({ $0 }) < bytes, (try? wire.send(piece)) != nil {
                sent.withLock { $0 += piece.count }
            }
        }
    }

    /// Waits for its end.
    /// - Returns: the bytes that were sent.
    func end() -> Int {
        thread.join()
        return sent.withLock { $0 }
    }
}
