import Glibc
import Primitives
import TestSupport
import Testing

@testable import HTTPServer

@Suite(.blocking) struct BodyTests {
    let server: TestServer

    init() throws { server = try TestServer { $0.bodyLimitBytes = 1000 } }

    private let chunkedHead = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

    @Test func `takes a chunked body however it is cut`() throws {
        let text = "5\r\nhello\r\n1;x=y\r\n \r\n00A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"
        let bytes = Array((chunkedHead + text).utf8)
        var wire = try server.connect()
        for cut in stride(from: chunkedHead.utf8.count - 2, to: bytes.count, by: 1) {
            try wire.send(Array(bytes[..<cut]))
            // Long enough for the server to see the parts apart, mostly.
            usleep(300)
            try wire.send(Array(bytes[cut...]))
            let reply = try wire.receive()
            #expect(reply.text == "hello 0123456789", "cut at \(cut)")
            // Where a cut hides how the body was framed, nothing may follow it.
            if reply.closesConnection { wire = try server.connect() }
        }
    }

    @Test func `takes requests byte by byte`() throws {
        var wire = try server.connect()
        for body in ["5\r\nhello\r\n0\r\n\r\n", "0\r\n\r\n"] {
            for byte in (chunkedHead + body).utf8 {
                try wire.send([byte])
                usleep(100)
            }
            #expect(try wire.receive().text == (body.count > 5 ? "hello" : ""))
            wire = try server.connect()
        }
        for byte in "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello".utf8 {
            try wire.send([byte])
            usleep(100)
        }
        #expect(try wire.receive().text == "hello")
    }

    @Test(arguments: [
        "g\r\n", "5\r\nhelloX", "-1\r\n", "\r\n", "5 \r\nhello\r\n", " 5\r\nhello\r\n",
        "0x5\r\nhello\r\n", "ffffffffffffffffff\r\n", ";\r\n",
    ])
    func `refuses malformed chunks and closes`(_ body: String) throws {
        let wire = try server.connect()
        try wire.send(chunkedHead + body + "0\r\n\r\n")
        let reply = try wire.receive()
        #expect((400...413).contains(reply.status))
        #expect(wire.isClosed())
        #expect(server.seen.withLock { $0 }.isEmpty)
    }

    @Test(arguments: [
        "5\nhello\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5;\r\nhello\r\n0\r\n\r\n",
        "5;bad[=x\r\nhello\r\n0\r\n\r\n", "5;a=\0b\r\nhello\r\n0\r\n\r\n",
        "5;a=b\rc\r\nhello\r\n0\r\n\r\n", "5;a=\"b\r\nhello\r\n0\r\n\r\n",
        "5;a=\r\nhello\r\n0\r\n\r\n", "5;a b\r\nhello\r\n0\r\n\r\n",
        "2\r\nhe\n3\r\nllo\r\n0\r\n\r\n", "2\r\nhe\r\n3\nllo\r\n0\r\n\r\n",
        "2\r\nhe\r\n3;[\r\nllo\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\nBad[: x\r\n\r\n",
        "5\r\nhello\r\n0;[\r\n\r\n", "5\r\nhello\r\n0\r\nA: b\u{1}c\r\n\r\n",
        "5\r\nhello\r\n0\n\r\n",
    ])
    func `refuses a framing in which two parsers could disagree`(_ body: String) throws {
        let wire = try server.connect()
        try wire.send(chunkedHead + body)
        let reply = try wire.receive()
        #expect(reply.status == 400)
        #expect(["invalid_chunk", "invalid_trailer"].contains(reply.problemCode), "\(reply.text)")
        #expect(reply.closesConnection && wire.isClosed())
        #expect(server.seen.withLock { $0 }.isEmpty)
    }

    @Test(arguments: [
        "5\r\nhello\r\n0\r\n\r\n", "05;a\r\nhello\r\n0;b=c\r\n\r\n",
        "5;a=\"b \\\" c\";d=e\r\nhello\r\n0\r\nGood: x\r\n\r\n",
        "2; a = b\r\nhe\r\n3\r\nllo\r\n000\r\n\r\n", "1\r\nh\r\n4\r\nello\r\n0\r\n\r\n",
    ])
    func `takes a sound chunked body and keeps its connection`(_ body: String) throws {
        let wire = try server.connect()
        for _ in 0..<3 {
            try wire.send(chunkedHead + body)
            let reply = try wire.receive()
            #expect(reply.text == "hello" && !reply.closesConnection)
        }
    }

    @Test func `takes many chunks that come in many parts`() throws {
        var seed: UInt64 = 12
        for _ in 0..<30 {
            var (text, wanted) = ("", "")
            for _ in 0..<20 {
                seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let piece = String(repeating: "x", count: Int(seed >> 33) % 40 + 1)
                text += String(piece.count, radix: 16) + "\r\n\(piece)\r\n"
                wanted += piece
            }
            let wire = try server.connect()
            var bytes = Array((chunkedHead + text + "0\r\n\r\n").utf8)[...]
            while !bytes.isEmpty {
                seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let count = Int(seed >> 33) % 90 + 1
                try wire.send(Array(bytes.prefix(count)))
                bytes = bytes.dropFirst(count)
                usleep(200)
            }
            let reply = try wire.receive()
            #expect(reply.status == 200 && reply.text == wanted, "\(reply.status) \(reply.text)")
        }
    }

    /// The memory after the last piece still holds what came before: here the rest of a long chunk, which
    /// looks like a bad size behind the zero that came alone.
    @Test func `a last chunk that comes in parts is not taken for what came before it`() throws {
        let wire = try server.connect()
        let data = String(repeating: "x", count: 40) + "\r\n" + String(repeating: "x", count: 18)
        for part in [chunkedHead + "3c\r\n\(data)", "\r\n5\r\nhello\r\n0", "\r\n\r\n"] {
            try wire.send(part)
            usleep(20_000)
        }
        let reply = try wire.receive()
        #expect(
            reply.status == 200 && reply.text == data + "hello", "\(reply.status) \(reply.text)")
    }

    /// What came before looks like a sound last chunk; the one that comes has bare line feeds.
    @Test func `a last chunk of before does not vouch for one with bare line feeds`() throws {
        let wire = try server.connect()
        let data = "xxxxxx\r\n0\r\n" + String(repeating: "x", count: 30)
        let first = String(data.utf8.count, radix: 16) + "\r\n\(data)"
        for part in [chunkedHead + first, "\r\n5\r\nhello", "\n0\n\n"] {
            try wire.send(part)
            usleep(20_000)
        }
        #expect(try wire.receive().closesConnection)
    }

    /// libmicrohttpd moves it over the last chunk, and here it looks like a sound one there.
    @Test func `what follows a body does not vouch for a last chunk with bare line feeds`() throws {
        let wire = try server.connect()
        try wire.send(chunkedHead + "5\r\nhello\n0\n\n" + "GET /xy\r\n0\r\n\r\n")
        let reply = try wire.receive()
        #expect(reply.status == 400 && reply.closesConnection)
    }

    @Test func `says 413 to an announced body before it comes`() throws {
        let wire = try server.connect()
        try wire.send(
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n"
                + "Expect: 100-continue\r\n\r\n")
        let reply = try wire.receiveHead()
        #expect(reply.status == 413)
        #expect(reply.closesConnection)
        #expect(wire.isClosed())
        #expect(
            try server.reply(
                to: "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
                    + String(repeating: "x", count: 1000)
            ).body.count == 1000)
    }

    @Test func `names the limit of a body`() throws {
        let reply = try server.reply(
            to: "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n")
        let problem = try JSONValue.parse(reply.text)
        #expect(problem["code"]?.text == "body_too_large")
        #expect(problem["limit"] == .integer(1000))
    }

    @Test func `says 413 to a chunked body that turns out too large`() throws {
        let chunk = "64\r\n" + String(repeating: "x", count: 100) + "\r\n"
        let most = try server.reply(
            to: chunkedHead + String(repeating: chunk, count: 10) + "0\r\n\r\n")
        #expect(most.body.count == 1000)
        let wire = try server.connect()
        try wire.send(chunkedHead + String(repeating: chunk, count: 11) + "0\r\n\r\n")
        let reply = try wire.receive()
        #expect(reply.status == 413)
        #expect(reply.problemCode == "body_too_large")
        #expect(wire.isClosed())
    }

    @Test func `cuts off a chunked body that does not end`() throws {
        let wire = try server.connect()
        try wire.send(chunkedHead)
        let chunk = Array(("ffff\r\n" + String(repeating: "x", count: 0xFFFF) + "\r\n").utf8)
        #expect(throws: SystemFailure.self) {
            for _ in 0..<1000 { try wire.send(chunk) }
        }
    }

    @Test func `says continue to who expects it`() throws {
        let wire = try server.connect()
        try wire.send(
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        #expect(try wire.receiveHead().status == 100)
        try wire.send("hello")
        #expect(try wire.receive().text == "hello")
        #expect(try wire.ask("GET", "/hello").text == "hello")
    }

    @Test func `ignores the body of a GET`() throws {
        let wire = try server.connect()
        #expect(try wire.ask("GET", "/hello", body: "0123456789").text == "hello")
        #expect(try wire.ask("GET", "/hello").text == "hello")
    }

    /// What libmicrohttpd can neither read on nor refuse must not keep a core busy.
    @Test func `does not spin over a chunk extension without end`() throws {
        let server = try TestServer {
            $0.loops = 1
            $0.bodyGrace = .milliseconds(800)
        }
        let wire = try server.connect()
        try? wire.send(chunkedHead + "5;" + String(repeating: "x", count: 60_000))
        usleep(100_000)
        let before = server.loopCPUTime
        usleep(400_000)
        #expect(server.loopCPUTime - before < .milliseconds(100) * slowness)
        #expect(try server.connect().ask("GET", "/hello").text == "hello")
        #expect(wire.isClosed())
        expectEventually { server.server.openConnections == 0 }
    }
}
