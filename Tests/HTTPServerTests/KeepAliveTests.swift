import Glibc
import Primitives
import TestSupport
import Testing

@testable import HTTPServer

@Suite(.blocking) struct KeepAliveTests {
    let server: TestServer

    init() throws { server = try TestServer() }

    @Test func `serves request after request on one connection`() throws {
        let wire = try server.connect()
        for number in 0..<200 {
            #expect(try wire.ask("GET", "/items/\(number)").text == "\(number)")
        }
    }

    @Test func `closes when asked to`() throws {
        let wire = try server.connect()
        let reply = try wire.ask("GET", "/hello", ["Connection: close"])
        #expect(reply.text == "hello")
        #expect(reply.closesConnection)
        #expect(wire.isClosed())
    }

    @Test func `closes after HTTP 1.0 unless asked to stay`() throws {
        let wire = try server.connect()
        try wire.send("GET /hello HTTP/1.0\r\n\r\n")
        #expect(try wire.receive().text == "hello")
        #expect(wire.isClosed())
        let stays = try server.connect()
        for _ in 0..<3 {
            try stays.send("GET /hello HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
            #expect(try stays.receive().text == "hello")
        }
    }

    @Test func `answers pipelined requests in their order`() throws {
        let wire = try server.connect()
        var text = ""
        for number in 0..<500 {
            text += "GET /items/\(number) HTTP/1.1\r\nHost: a\r\n\r\n"
            text += "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
            if number % 10 == 0 {
                text += "POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nlate"
            }
            if number % 100 == 0 { text += "GET /slow?ms=20 HTTP/1.1\r\nHost: a\r\n\r\n" }
        }
        try wire.send(text)
        for number in 0..<500 {
            #expect(try wire.receive().text == "\(number)")
            #expect(try wire.receive().text == "abc")
            if number % 10 == 0 { #expect(try wire.receive().text == "late") }
            if number % 100 == 0 { #expect(try wire.receive().text == "20") }
        }
    }

    @Test func `answers pipelined requests that are cut anywhere`() throws {
        let wire = try server.connect()
        let text = Array(
            ("POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nlate"
                + "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").utf8)
        for cut in 1..<text.count {
            try wire.send(Array(text[..<cut]))
            usleep(200)
            try wire.send(Array(text[cut...]))
            #expect(try wire.receive().text == "late", "cut at \(cut)")
            #expect(try wire.receive().text == "hello", "cut at \(cut)")
        }
    }

    /// `printf … | nc` does this.
    @Test func `answers who closes its side after sending`() throws {
        for target in ["/hello", "/slow?ms=0", "/slow?ms=400", "/big?bytes=3000000"] {
            let wire = try server.connect()
            try wire.send("GET", target)
            wire.finishSending()
            let reply = try wire.receive()
            #expect(reply.status == 200)
            #expect(wire.isClosed())
        }
        let wire = try server.connect()
        try wire.send(String(repeating: "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", count: 20))
        wire.finishSending()
        for _ in 0..<20 { #expect(try wire.receive().text == "hello") }
    }

    @Test(arguments: ["", "GET /hello HTTP/1.1\r\nHo", "GET /hello HTTP/1.1\r\nHost: a\r\n"])
    func `notices an end that came with the last bytes of an unfinished header`(
        begun: String
    ) throws {
        let server = try TestServer { $0.loops = 1 }
        let wire = try server.connect()
        try wire.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n" + begun)
        #expect(try wire.receive().text == "hello")
        // The loop looks at the socket only when both are there.
        let isReady = Monitor((loop: false, wire: false))
        server.server.enqueue(on: 0) {
            isReady.change { $0.loop = true }
            _ = isReady.wait(until: .after(.seconds(10)), for: { $0.wire }, then: { _ in })
        }
        _ = isReady.wait(until: .after(.seconds(10)), for: { $0.loop }, then: { _ in })
        try wire.send("G")
        wire.finishSending()
        isReady.change { $0.wire = true }
        #expect(eventually(within: .seconds(5)) { server.server.openConnections == 0 })
    }

    @Test func `forgets who leaves in the middle of a request`() throws {
        for text in ["G", "GET /hello HTTP/1.1\r\nHo", "POST /echo HTTP/1.1\r\nHost: a\r\n"] {
            let wire = try server.connect()
            try wire.send(text)
        }
        let wire = try server.connect()
        try wire.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
        wire.resetOnClose()
        _ = consume wire
        expectEventually { server.server.openConnections == 0 }
        #expect(server.seen.withLock { $0 }.isEmpty)
    }
}
