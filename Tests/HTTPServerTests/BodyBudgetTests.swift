import Glibc
import Primitives
import TestSupport
import Testing

@testable import HTTPServer

/// What all bodies take together is bounded, and what one took comes back however it ends.
@Suite(.blocking) struct BodyBudgetTests {
    private static let bodyBytes = 1 << 20

    /// Room for four bodies of the permitted size.
    private func start(_ change: (inout HTTPServerOptions) -> Void = { _ in }) throws -> TestServer
    {
        try TestServer {
            $0.bodyLimitBytes = BodyBudgetTests.bodyBytes
            $0.bodyMemoryBytes = 4 * BodyBudgetTests.bodyBytes
            change(&$0)
        }
    }

    private static let chunked =
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

    /// A connection whose body has all come but its end.
    private func begin(_ server: TestServer) throws -> ClientConnection {
        let wire = try server.connect()
        let piece = String(repeating: "x", count: 64 << 10)
        try wire.send(BodyBudgetTests.chunked)
        for _ in 0..<16 { try wire.send("10000\r\n\(piece)\r\n") }
        return wire
    }

    private func used(_ server: TestServer) -> Int { server.server.bodyBudget.usedBytes }

    /// Four bodies under way, which take all there is.
    private func fill(_ server: TestServer) throws -> [ClientConnection] {
        let wires = try (0..<4).map { _ in try begin(server) }
        expectEventually { used(server) == 4 * BodyBudgetTests.bodyBytes }
        return wires
    }

    private func expectRefusal(_ reply: ClientReply) {
        #expect(reply.status == 503 && reply.problemCode == "body_budget", "\(reply.text)")
        #expect(reply.header("Retry-After") == "1")
        #expect(reply.namesRequest && reply.problemInstance == "/echo")
        #expect(reply.closesConnection)
    }

    @Test func `refuses bodies beyond the budget, serves small ones, and takes more afterwards`()
        throws
    {
        let server = try start()
        let wires = try fill(server)
        for _ in 0..<6 {
            let late = try begin(server)
            try late.send("0\r\n\r\n")
            expectRefusal(try late.receive())
            #expect(late.isClosed())
        }
        #expect(used(server) == 4 * BodyBudgetTests.bodyBytes)
        #expect(server.server.bodyBudget.refused.count == 6)
        let small = String(repeating: "x", count: 16 << 10)
        #expect(try server.connect().ask("POST", "/echo", body: small).text == small)
        for wire in wires {
            try wire.send("0\r\n\r\n")
            #expect(try wire.receive().body.count == BodyBudgetTests.bodyBytes)
        }
        expectEventually { used(server) == 0 }
        #expect(try server.connect().ask("POST", "/echo", body: small + small).status == 200)
    }

    @Test func `refuses an announced body before it comes`() throws {
        let server = try start()
        let wires = try fill(server)
        let wire = try server.connect()
        try wire.send(
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n"
                + "Expect: 100-continue\r\n\r\n")
        expectRefusal(try wire.receive())
        #expect(wire.isClosed())
        #expect(wires.count == 4)
    }

    @Test func `gets back what clients took that left`() throws {
        let server = try start()
        var wires = try fill(server)
        for wire in wires.prefix(2) { wire.resetOnClose() }
        wires.removeAll()
        expectEventually { used(server) == 0 }
        #expect(try fill(server).count == 4)
    }

    @Test func `gets back what a client took whose end came with its last bytes`() throws {
        let server = try start { $0.loops = 1 }
        let wire = try server.connect()
        try wire.send(BodyBudgetTests.chunked + "5000\r\n" + String(repeating: "x", count: 20_000))
        expectEventually { used(server) >= 20_000 }
        // The loop looks at the socket only when both are there.
        let isReady = Monitor((loop: false, wire: false))
        server.server.enqueue(on: 0) {
            isReady.change { $0.loop = true }
            _ = isReady.wait(until: .after(.seconds(10)), for: { $0.wire }, then: { _ in })
        }
        _ = isReady.wait(until: .after(.seconds(10)), for: { $0.loop }, then: { _ in })
        try wire.send(String(repeating: "x", count: 100))
        wire.finishSending()
        isReady.change { $0.wire = true }
        expectEventually { used(server) == 0 }
        #expect(wire.isClosed())
    }

    @Test func `gets back what clients took that were too slow`() throws {
        let server = try start {
            $0.bodyGrace = .milliseconds(500)
            $0.bodyMinimumBytesPerSecond = 10 << 20
        }
        let wire = try server.connect()
        try wire.send(BodyBudgetTests.chunked + "5000\r\n" + String(repeating: "x", count: 20_000))
        expectEventually { used(server) >= 20_000 }
        #expect(try wire.receive().status == 408)
        expectEventually { used(server) == 0 }
    }

    @Test func `gets back a refused body, and one that a handler still has once it lets go`() throws
    {
        let server = try start()
        let large = try server.connect()
        try large.send(BodyBudgetTests.chunked)
        let piece = "10000\r\n" + String(repeating: "x", count: 64 << 10) + "\r\n"
        for _ in 0..<17 { try large.send(piece) }
        expectEventually { used(server) == 0 }
        try large.send("0\r\n\r\n")
        #expect(try large.receive().status == 413)
        do {
            let wire = try server.connect()
            try wire.send("POST", "/kept", body: String(repeating: "x", count: 100_000))
            expectEventually { server.held.withLock { $0.count } == 1 }
            #expect(used(server) >= 100_000)
            wire.resetOnClose()
        }
        expectEventually { server.server.openConnections == 0 }
        #expect(used(server) >= 100_000)
        server.held.change { $0 = [] }
        expectEventually { used(server) == 0 }
    }

    @Test func `keeps the buffer of a busy connection and takes it from an idle one`() throws {
        let server = try start()
        let wire = try server.connect()
        let body = String(repeating: "x", count: 100_000)
        for _ in 0..<20 { #expect(try wire.ask("POST", "/echo", body: body).body.count == 100_000) }
        expectEventually { used(server) == 0 }
        #expect(try wire.ask("POST", "/echo", body: body).status == 200)
    }
}
