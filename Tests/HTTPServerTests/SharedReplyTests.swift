import Primitives
import TestSupport
import Testing

@testable import HTTPServer

/// One reply for many requests, on many connections, answered on the event loop.
@Suite struct SharedReplyTests {
    private let current: Locked<SharedReply>
    private let server: HTTPServer

    init() throws {
        let current = Locked(SharedReplyTests.reply("a"))
        var router = Router()
        router.on(.get, "/answer", access: .public, bodyLimit: .none) { request, responder in
            responder.respond(current.withLock { $0 }.response(to: request))
        }
        self.current = current
        server = try HTTPServer(
            options: HTTPServerOptions(), log: .silent, Application(router))
        server.start()
    }

    private static func reply(_ letter: String) -> SharedReply {
        let body = Bytes(String(repeating: letter, count: 5000))
        let type: StaticString = "text/plain"
        return SharedReply(
            contentType: type, body, etag: "\"\(letter)\"", cacheControl: "private, max-age=5",
            headers: [("Age", "3")],
            gzip: .compressed(
                contentType: type, body, etag: "\"\(letter)-gzip\"",
                cacheControl: "private, max-age=5", headers: [("Age", "3")]))
    }

    @Test func `sends the same reply with each request's own id`() throws {
        defer { server.stop(until: .after(.seconds(1))) }
        let wires = try (0..<4).map { _ in try ClientConnection(port: server.port) }
        for round in 0..<10 {
            for (index, wire) in wires.enumerated() {
                let id = "id-\(round)-\(index)"
                let reply = try wire.ask("GET", "/answer", ["X-Request-Id: \(id)"])
                #expect(reply.status == 200 && reply.text == String(repeating: "a", count: 5000))
                #expect(reply.header("X-Request-Id") == id)
                #expect(reply.header("ETag") == "\"a\"" && reply.header("Age") == "3")
                #expect(reply.header("Vary") == "Accept-Encoding")
                #expect(reply.header("Cache-Control") == "private, max-age=5")
            }
        }
        // One of another length is another form, and the next one too.
        for id in ["x", "a-longer-id-than-before", ""] {
            let fields = id.isEmpty ? [] : ["X-Request-Id: \(id)"]
            let reply = try wires[0].ask("GET", "/answer", fields)
            #expect(id.isEmpty || reply.header("X-Request-Id") == id)
            #expect(reply.text.count == 5000)
        }
        #expect(try wires[0].ask("HEAD", "/answer").header("Content-Length") == "5000")
    }

    @Test func `sends the new one once it is there`() throws {
        defer { server.stop(until: .after(.seconds(1))) }
        let wire = try ClientConnection(port: server.port)
        for letter in ["b", "c", "b"] {
            current.withLock { $0 = SharedReplyTests.reply(letter) }
            for _ in 0..<3 {
                let reply = try wire.ask("GET", "/answer")
                #expect(reply.text.first.map(String.init) == letter)
                #expect(reply.header("ETag") == "\"\(letter)\"")
            }
        }
    }

    @Test func `gives gzip to who takes it, under a tag of its own`() throws {
        defer { server.stop(until: .after(.seconds(1))) }
        let wire = try ClientConnection(port: server.port)
        for coding in ["gzip", "identity", "gzip;q=0", "br, gzip"] {
            let reply = try wire.ask("GET", "/answer", ["Accept-Encoding: \(coding)"])
            let isPacked = ["gzip", "br, gzip"].contains(coding)
            #expect(reply.header("Content-Encoding") == (isPacked ? "gzip" : nil))
            #expect(reply.header("ETag") == (isPacked ? "\"a-gzip\"" : "\"a\""))
            #expect(reply.header("Vary") == "Accept-Encoding")
            #expect(isPacked ? reply.body.count < 500 : reply.body.count == 5000)
        }
    }

    @Test(arguments: [
        ("\"a\"", 304), ("W/\"a\"", 304), ("\"x\", \"a\"", 304), ("*", 304), ("\"b\"", 200),
        ("\"a-gzip\"", 200),
    ])
    func `says 304 to who has it`(_ tags: String, _ status: Int) throws {
        defer { server.stop(until: .after(.seconds(1))) }
        let wire = try ClientConnection(port: server.port)
        for _ in 0..<2 {
            try wire.send("GET", "/answer", ["If-None-Match: \(tags)"])
            let reply = try wire.receive(toHead: status == 304)
            #expect(reply.status == status)
            #expect(reply.header("ETag") == "\"a\"")
            #expect([nil, "5000"].contains(reply.header("Content-Length")))
            #expect(reply.header("Cache-Control") == "private, max-age=5")
        }
        #expect(try wire.ask("GET", "/answer").text.count == 5000)
    }

    @Test func `lets go of a body when the last connection has`() throws {
        defer { server.stop(until: .after(.seconds(1))) }
        weak var old: SharedReply?
        do {
            let reply = SharedReplyTests.reply("d")
            old = reply
            current.withLock { $0 = reply }
        }
        let wire = try ClientConnection(port: server.port)
        #expect(try wire.ask("GET", "/answer").text.first == "d")
        current.withLock { $0 = SharedReplyTests.reply("e") }
        // Idle connections do not keep what a cache has given up.
        expectEventually { old == nil }
    }
}
