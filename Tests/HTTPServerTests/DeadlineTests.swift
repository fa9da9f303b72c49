import Glibc
import Primitives
import Testing
import TestSupport

@testable import HTTPServer

@Suite(.blocking) struct DeadlineTests {
    @Test func `cuts off who says nothing`() throws {
        let server = try TestServer { $0.headerTimeout = .milliseconds(300) }
        let wire = try server.connect()
        #expect(wire.isClosed(within: .seconds(5)))
        expectEventually { server.server.openConnections == 0 }
    }

    @Test func `cuts off who sends a header bit by bit`() throws {
        let server = try TestServer { $0.headerTimeout = .milliseconds(300) }
        let wire = try server.connect()
        try wire.send("GET /hello HTTP/1.1\r\n")
        let end = Deadline.after(.seconds(5))
        while !end.hasPassed, (try? wire.send("A: b\r\n")) != nil { usleep(30_000) }
        #expect(!end.hasPassed, "one line every 30 ms held the connection")
        expectEventually { server.server.openConnections == 0 }
    }

    @Test func `says 408 to a header that stops`() throws {
        let server = try TestServer { $0.headerTimeout = .milliseconds(300) }
        let wire = try server.connect()
        try wire.send("GET /hello HTTP/1.1\r\nHost: a\r\n")
        let reply = try wire.receive()
        #expect(reply.status == 408)
        #expect(reply.problemCode == "request_timeout")
        #expect(reply.problemInstance == "/hello" && reply.namesRequest)
        #expect(try wire.receiveToEnd().isEmpty)
    }

    @Test func `cuts off a request line that does not end`() throws {
        let server = try TestServer {
            $0.headerTimeout = .milliseconds(300)
            $0.idleTimeout = .milliseconds(600)
        }
        let first = try server.connect()
        try first.send("GET /he")
        let second = try server.connect()
        #expect(try second.ask("GET", "/hello").status == 200)
        try second.send("GET /he")
        #expect(first.isClosed(within: .seconds(5)))
        #expect(second.isClosed(within: .seconds(5)))
    }

    @Test func `closes idle connections, and not busy ones`() throws {
        let server = try TestServer { $0.idleTimeout = .milliseconds(300) }
        let idle = try server.connect()
        #expect(try idle.ask("GET", "/hello").status == 200)
        let busy = try server.connect()
        try busy.send("GET", "/slow?ms=900")
        #expect(idle.isClosed(within: .seconds(5)))
        #expect(try busy.receive().text == "900")
    }

    @Test func `wants a minimum rate of a body`() throws {
        let server = try TestServer {
            $0.bodyGrace = .milliseconds(200)
            $0.bodyMinimumBytesPerSecond = 1000
        }
        let slow = try server.connect()
        try slow.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\nabc")
        let fast = try server.connect()
        try fast.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n")
        for _ in 0..<9 {
            try fast.send(String(repeating: "x", count: 1000))
            usleep(100_000)
        }
        #expect(try fast.receive().body.count == 9000)
        let reply = try slow.receive()
        #expect(reply.status == 408)
        #expect(reply.problemInstance == "/echo" && reply.namesRequest)
        #expect(slow.isClosed(within: .seconds(5)))
        #expect(server.seen.withLock { $0.count } == 1)
    }

    @Test func `gives a body its grace`() throws {
        let server = try TestServer { $0.bodyGrace = .seconds(20) }
        let wire = try server.connect()
        try wire.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
        usleep(700_000)
        try wire.send("abc")
        #expect(try wire.receive().text == "abc")
    }

    @Test func `cuts off who does not take a large reply`() throws {
        let server = try TestServer { $0.replyTimeout = .milliseconds(400) }
        let wire = try server.connect(receiveBytes: 4096)
        try wire.send("GET", "/huge")
        expectEventually { server.server.openConnections == 0 }
        #expect(try server.connect().ask("GET", "/hello").text == "hello")
    }

    @Test func `serves others while many are slow`() throws {
        let server = try TestServer { $0.headerTimeout = .seconds(3) }
        let slow = try (0..<300).map { number in
            let wire = try server.connect(receiveBytes: 4096)
            switch number % 3 {
            case 0: try wire.send("GET /hello HTTP/1.1\r\nHo")
            case 1: try wire.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab")
            default: try wire.send("GET", "/huge")
            }
            return wire
        }
        let wire = try server.connect()
        for _ in 0..<200 { #expect(try wire.ask("GET", "/hello").text == "hello") }
        #expect(slow.count == 300)
    }
}
