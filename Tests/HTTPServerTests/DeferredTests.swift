import Glibc
import Primitives
import Testing
import TestSupport

@testable import HTTPServer

/// Replies that come later, from other threads: parked at first, then suspended.
@Suite(.blocking) struct DeferredTests {
    let server: TestServer

    init() throws { server = try TestServer() }

    @Test func `answers from another thread, soon and late`() throws {
        let wire = try server.connect()
        for round in 0..<300 {
            #expect(try wire.ask("POST", "/later", body: "r\(round)").text == "r\(round)")
        }
        for wait in [1, 4, 5, 6, 10, 300] {
            #expect(try wire.ask("GET", "/slow?ms=\(wait)").text == "\(wait)")
        }
    }

    @Test func `drops a second answer`() throws {
        let wire = try server.connect()
        try wire.send("GET", "/held")
        let first = try server.held.once { !$0.isEmpty }[0]
        first.respond(.text(200, "one"))
        first.respond(.text(200, "two"))
        #expect(try wire.receive().text == "one")
        try wire.send("GET", "/held")
        let second = try server.held.once { $0.count == 2 }[1]
        let lost = EventStream()
        first.respond(.text(500, "three"))
        first.respond(Response(200, body: .stream(lost)))
        #expect(lost.isClosed)
        second.respond(.text(200, "four"))
        #expect(try wire.receive().text == "four")
        #expect(first.isAbandoned)
    }

    @Test func `takes the first of two answers that come at once`() throws {
        let wire = try server.connect()
        for round in 0..<200 {
            try wire.send("GET", "/held")
            let responder = try server.held.once { $0.count > round }[round]
            let body = Bytes(String(repeating: "x", count: 2000))
            let threads = (0..<2).map { number in
                Thread(name: "answer") {
                    responder.respond(Response(200 + number, body: .bytes(body)))
                }
            }
            #expect([200, 201].contains(try wire.receive().status))
            for thread in threads { thread.join() }
        }
    }

    @Test(arguments: [true, false])
    func `lets go of who leaves while the reply is awaited`(_ isReset: Bool) throws {
        let server = try TestServer { $0.halfClosedTimeout = .milliseconds(300) }
        try leave(server, reset: isReset)
        let responder = try server.held.once { !$0.isEmpty }[0]
        expectEventually("the work can see that nobody waits") { responder.isAbandoned }
        expectEventually("nobody holds the connection") { server.server.openConnections == 0 }
        responder.respond(.text(200, "too late"))
        #expect(try server.connect().ask("GET", "/hello").text == "hello")
    }

    private func leave(_ server: TestServer, reset: Bool) throws {
        let wire = try server.connect()
        try wire.send("GET", "/held")
        let responder = try server.held.once { !$0.isEmpty }[0]
        #expect(!responder.isAbandoned)
        if reset { wire.resetOnClose() }
    }

    @Test func `answers who has closed its side, for a while`() throws {
        let wire = try server.connect()
        try wire.send("GET", "/held")
        wire.finishSending()
        let responder = try server.held.once { !$0.isEmpty }[0]
        expectEventually { responder.isAbandoned }
        #expect(server.server.openConnections == 1)
        responder.respond(.text(200, "here you are"))
        #expect(try wire.receive().text == "here you are")
    }

    @Test func `leaves no descriptor behind`() throws {
        for round in 0..<100 {
            let wire = try server.connect()
            switch round % 5 {
            case 0: try wire.send("GET", "/slow?ms=\(round % 20)")
            case 1: try wire.send("GET", "/stream")
            case 2: try wire.send("POST", "/later", body: "x")
            case 3: try wire.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
            default: #expect(try wire.ask("GET", "/hello").status == 200)
            }
            if round % 2 == 0 { wire.resetOnClose() }
        }
        expectEventually { server.server.openConnections == 0 }
        expectEventually { server.streams.withLock { $0.allSatisfy(\.isClosed) } }
    }

    /// A wake-up that is lost stalls the loop until it looks around by itself, a quarter of a
    /// second later: 40 of these would be seen.
    @Test func `wakes the loop whenever something is put in`() throws {
        let turns = Monitor(0)
        let limit = Deadline.after(.seconds(10))
        for turn in 0..<40_000 {
            server.server.enqueue(on: 0) { turns.change { $0 += 1 } }
            // Every few turns, so that the loop falls asleep at every point of its pass.
            if turn % 3 == 0 {
                _ = turns.wait(until: limit, for: { $0 == turn + 1 }, then: { $0 })
            }
        }
        #expect(turns.wait(until: limit, for: { $0 == 40_000 }, then: { $0 }) == 40_000)
    }
}
