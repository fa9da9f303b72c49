import Primitives
import TestSupport
import Testing

@testable import HTTPServer

/// Replies that are sent again to requests that are the same, byte for byte.
@Suite(.blocking) struct RepeatedReplyTests {
    /// A handler that says for how long its answers hold, and an authorizer that may change its mind.
    private final class Counted: Sendable {
        let asked = Locked(0)
        let holds = Locked(true)
        let isAdmitted = Locked(true)
        let authorized = Locked(0)
        let server: HTTPServer

        init(_ change: (inout HTTPServerOptions) -> Void = { _ in }) throws {
            var options = HTTPServerOptions()
            options.loops = 1
            change(&options)
            var router = Router()
            let (asked, holds, isAdmitted, authorized) = (asked, holds, isAdmitted, authorized)
            let answer: Handler = { request, responder in
                let count = asked.withLock { count in
                    count += 1
                    return count
                }
                var response = Response.text(200, "\(count) \(request.target.text)")
                response.add("Server-Timing", "memory;dur=0.000")
                response.add("ETag", "\"\(count)\"")
                if EntityTag.isKnown("\"1\"", to: request) { response.status = 304 }
                response.repetition = ReplyRepetition { _ in holds.withLock { $0 } }
                responder.respond(response)
            }
            router.on(.get, "/answer", access: .authenticated, bodyLimit: .none, answer)
            router.on(.post, "/answer", access: .authenticated, bodyLimit: .standard, answer)
            server = try HTTPServer(
                options: options, log: .silent,
                Application(
                    router,
                    authorize: { (_, _) throws(Problem) in
                        authorized.withLock { $0 += 1 }
                        guard isAdmitted.withLock({ $0 }) else {
                            throw Problem(401, "unknown_key", "No.")
                        }
                        return .anonymous
                    }, readmit: { _, _, _ in isAdmitted.withLock { $0 } }))
            server.start()
        }

        deinit { server.stop(until: .after(.seconds(1))) }

        var count: Int { asked.withLock { $0 } }
        func connect() throws -> ClientConnection { try ClientConnection(port: server.port) }
    }

    @Test func `asks the handler once, and gives each request an id of its own`() throws {
        let counted = try Counted()
        let wires = try (0..<4).map { _ in try counted.connect() }
        let start = MonotonicTime.now()
        var ids: Set<String> = []
        var asked = 0
        for _ in 0..<20 {
            for wire in wires {
                let reply = try wire.ask("GET", "/answer?x=1")
                #expect(reply.status == 200 && reply.text.hasSuffix(" /answer?x=1"))
                let id = try #require(reply.header("X-Request-Id"))
                #expect(id.utf8.count == 16)
                ids.insert(id)
                let timing = try #require(reply.header("Server-Timing"))
                #expect(timing.hasPrefix("memory;dur=") && timing.utf8.count == 16, "\(timing)")
                asked += 1
            }
        }
        #expect(ids.count == asked)
        // Once a second at most.
        let seconds = Int(MonotonicTime.now().since(start).inSeconds)
        #expect(counted.count <= 1 + seconds)
        // Each is counted, whoever has answered it.
        func counts() -> UInt64 {
            RequestMetrics.merged(counted.server.metrics).reduce(0) { sum, series in
                series.snapshot.counts.reduce(sum, +)
            }
        }
        // A client may have its reply a moment before it is counted.
        let deadline = Deadline.after(.seconds(5) * slowness)
        while counts() < UInt64(asked), !deadline.hasPassed {
            sleep(until: .after(.milliseconds(1)))
        }
        #expect(counts() == UInt64(asked))
    }

    @Test func `echoes the id that a request names`() throws {
        let counted = try Counted()
        let wire = try counted.connect()
        for id in ["a", "b", "a", "b", "a"] {
            let reply = try wire.ask("GET", "/answer", ["X-Request-Id: \(id)"])
            #expect(reply.header("X-Request-Id") == id)
        }
        #expect(counted.count <= 2 * 2)
    }

    @Test func `asks anew once the reply no longer holds`() throws {
        let counted = try Counted()
        let wire = try counted.connect()
        for _ in 0..<5 { _ = try wire.ask("GET", "/answer") }
        let before = counted.count
        counted.holds.withLock { $0 = false }
        for more in 1...5 {
            #expect(try wire.ask("GET", "/answer").text == "\(before + more) /answer")
        }
    }

    @Test func `does not believe its table for longer than a second`() throws {
        let counted = try Counted()
        let wire = try counted.connect()
        #expect(try wire.ask("GET", "/answer").text == "1 /answer")
        let deadline = Deadline.after(.seconds(30))
        while counted.count == 1, !deadline.hasPassed { _ = try wire.ask("GET", "/answer") }
        #expect(counted.count == 2)
    }

    @Test func `takes no request for another one`() throws {
        let counted = try Counted()
        let wire = try counted.connect()
        // The first byte of a query is not in libmicrohttpd's buffer any more.
        let targets = ["/answer?a=1", "/answer?b=1", "/answer", "/answer?", "/answer?a=2"]
        for _ in 0..<3 {
            for target in targets {
                let reply = try wire.ask("GET", target)
                #expect(reply.text.hasSuffix(" \(target)"), "\(reply.text)")
            }
        }
        let plain = try wire.ask("GET", "/answer?t")
        #expect(plain.status == 200)
        let head = try wire.ask("HEAD", "/answer?t")
        #expect(head.body.isEmpty && head.header("Content-Length") != nil)
        let tagged = try wire.ask("GET", "/answer?t", ["Accept: text/csv"])
        #expect(tagged.text != plain.text)
        for body in ["1", "22", "1"] {
            #expect(try wire.ask("POST", "/answer", body: body).status == 200)
        }
    }

    @Test func `says 304 again to who has it`() throws {
        let counted = try Counted()
        let wire = try counted.connect()
        for _ in 0..<4 {
            try wire.send("GET", "/answer", ["If-None-Match: \"1\""])
            let reply = try wire.receive(toHead: true)
            #expect(reply.status == 304 && reply.header("ETag") != nil)
        }
        #expect(try wire.ask("GET", "/answer").status == 200)
    }

    @Test func `a line that zero bytes hide makes it another request`() throws {
        let counted = try Counted()
        let start = "GET /answer HTTP/1.1\r\nHost: localhost\r\nX-A: b"
        let wire = try counted.connect()
        for _ in 0..<3 {
            try wire.send(start + "\r\nX-C: d\r\n\r\n")
            #expect(try wire.receive().status == 200)
        }
        // In libmicrohttpd's buffer all of these look the same.
        for hidden in ["\0\0X-C: d", "\0\0X-C\0 d", "\r\nX-C\0 d"] {
            let other = try counted.connect()
            try other.send(start + hidden + "\r\n\r\n")
            let reply = try other.receive()
            #expect(reply.status == 400, "\(hidden.debugDescription) \(reply.text)")
        }
    }

    @Test func `asks the authorizer once the caller is not let in any more`() throws {
        let counted = try Counted()
        let wire = try counted.connect()
        for _ in 0..<5 { #expect(try wire.ask("GET", "/answer").status == 200) }
        #expect(counted.authorized.withLock { $0 } < 5)
        counted.isAdmitted.withLock { $0 = false }
        #expect(try wire.ask("GET", "/answer").status == 401)
        counted.isAdmitted.withLock { $0 = true }
        #expect(try wire.ask("GET", "/answer").status == 200)
    }

    @Test func `lets go of a body within two seconds`() throws {
        weak var body: Bytes?
        let current = Locked<Bytes?>(nil)
        var router = Router()
        router.on(.get, "/", access: .public, bodyLimit: .none) { _, responder in
            guard let bytes = current.withLock({ $0 }) else {
                return responder.respond(Response.text(200, "none"))
            }
            var response = Response(200, contentType: "text/plain", body: .bytes(bytes))
            response.repetition = ReplyRepetition { _ in true }
            responder.respond(response)
        }
        let server = try HTTPServer(
            options: HTTPServerOptions(), log: .silent, Application(router))
        server.start()
        defer { server.stop(until: .after(.seconds(1))) }
        do {
            let bytes = Bytes(String(repeating: "x", count: 2000))
            body = bytes
            current.withLock { $0 = bytes }
        }
        let wire = try ClientConnection(port: server.port)
        for _ in 0..<3 { #expect(try wire.ask("GET", "/").body.count == 2000) }
        current.withLock { $0 = nil }
        expectEventually { body == nil }
    }

    @Test func `origins are answered by what they are`() throws {
        let counted = try Counted { $0.corsOrigins = ["https://a.example"] }
        let wire = try counted.connect()
        for _ in 0..<3 {
            let known = try wire.ask("GET", "/answer", ["Origin: https://a.example"])
            #expect(known.header("Access-Control-Allow-Origin") == "https://a.example")
            let other = try wire.ask("GET", "/answer", ["Origin: https://b.example"])
            #expect(other.header("Access-Control-Allow-Origin") == nil)
        }
    }
}
