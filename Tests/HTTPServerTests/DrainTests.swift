import Glibc
import Primitives
import Telemetry
import TestSupport
import Testing

@testable import HTTPServer

@Suite(.blocking) struct DrainTests {
    /// A stop on a thread of its own.
    private struct Stop {
        let thread: Thread
        let took = Locked(Duration.zero)

        init(_ server: TestServer, within limit: Duration) {
            thread = Thread(name: "stop") { [took, server = server.server] in
                let start = MonotonicTime.now()
                server.stop(until: .after(limit))
                took.withLock { $0 = MonotonicTime.now().since(start) }
            }
        }

        /// Waits for its end. Call once.
        func end() -> Duration {
            thread.join()
            return took.withLock { $0 }
        }
    }

    @Test func `ends at once when nobody is there`() throws {
        let server = try TestServer()
        #expect(Stop(server, within: .seconds(60)).end() < .seconds(5) * slowness)
    }

    @Test func `says how many it cut off at its deadline`() throws {
        let written = Monitor("")
        let log = Logger(level: .info) { line in
            written.change { $0 += String(decoding: line, as: UTF8.self) }
        }
        let held = Monitor<[Responder]>([])
        let router = Router.everything("/held") { _, responder in
            held.change { $0.append(responder) }
        }
        let server = try HTTPServer(options: HTTPServerOptions(), log: log, Application(router))
        server.start()
        let wires = try (0..<3).map { _ in try ClientConnection(port: server.port) }
        for wire in wires { try wire.send("GET", "/held") }
        _ = try held.once { $0.count == 3 }
        server.stop(until: .after(.milliseconds(200)))
        log.close()
        held.change { $0 = [] }
        let said = written.withLock { $0 }
        #expect(said.contains("the shutdown timeout cut off clients"), "\(said)")
        #expect(said.contains(#""requests":3,"connections":3"#), "\(said)")
    }

    @Test func `lets what is in flight finish and refuses what is new`() throws {
        let server = try TestServer()
        let slow = try server.connect()
        try slow.send("GET", "/slow?ms=600")
        let held = try server.connect()
        try held.send("GET", "/held")
        let half = try server.connect()
        try half.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
        let idle = try server.connect()
        #expect(try idle.ask("GET", "/hello").status == 200)
        let responder = try server.held.once { !$0.isEmpty }[0]
        let stop = Stop(server, within: .seconds(20))
        #expect(idle.isClosed())
        expectEventually { (try? server.connect()) == nil }
        try half.send("def")
        let reply = try half.receive()
        #expect(reply.text == "abcdef")
        #expect(reply.closesConnection)
        responder.respond(.text(200, "held"))
        #expect(try held.receive().text == "held")
        #expect(try slow.receive().text == "600")
        #expect(stop.end() < .seconds(10) * slowness)
        #expect(server.server.openConnections == 0)
    }

    @Test func `ends streams, also ones that begin meanwhile`() throws {
        let server = try TestServer()
        let wire = try server.connect()
        try wire.send("GET", "/stream")
        let stream = try server.streams.once { !$0.isEmpty }[0]
        #expect(stream.send(Bytes("last")))
        let late = try server.connect()
        try late.send("GET", "/held")
        let responder = try server.held.once { !$0.isEmpty }[0]
        let stop = Stop(server, within: .seconds(20))
        #expect(try wire.receive().text == "last")
        let second = EventStream()
        responder.respond(Response(200, body: .stream(second)))
        #expect(try late.receive().text == "")
        #expect(stop.end() < .seconds(10) * slowness)
        #expect(stream.isClosed)
        #expect(second.isClosed)
    }

    /// Suspended connections abort the process if libmicrohttpd is stopped with them.
    @Test func `ends at its deadline though a handler never answers`() throws {
        let server = try TestServer()
        let wires = try (0..<20).map { _ in try server.connect() }
        for wire in wires { try wire.send("GET", "/held") }
        let streaming = try server.connect(receiveBytes: 4096)
        try streaming.send("GET", "/stream")
        let large = try server.connect(receiveBytes: 4096)
        try large.send("GET", "/huge")
        let responders = try server.held.once { $0.count == 20 }
        let stream = try server.streams.once { !$0.isEmpty }[0]
        while stream.send(Bytes(String(repeating: "x", count: 60_000))) {}
        let took = Stop(server, within: .milliseconds(400)).end()
        #expect(took >= .milliseconds(400))
        #expect(took < .seconds(5) * slowness)
        #expect(server.server.openConnections == 0)
        for wire in wires { #expect(wire.isClosed()) }
        for responder in responders {
            #expect(responder.isAbandoned)
            responder.respond(.text(200, "too late"))
        }
        let late = EventStream()
        responders[0].respond(Response(200, body: .stream(late)))
        #expect(late.isClosed)
        #expect(stream.isClosed)
    }

    @Test func `ends at its deadline though a request was only just parked`() throws {
        for _ in 0..<20 {
            let server = try TestServer()
            let wire = try server.connect()
            try wire.send("GET", "/held")
            _ = try server.held.once { !$0.isEmpty }
            server.server.stop(until: .after(.zero))
            #expect(wire.isClosed())
        }
    }

    @Test func `ends connections whose reply is out`() throws {
        let server = try TestServer()
        let wire = try server.connect(receiveBytes: 4096)
        try wire.send("GET", "/big?bytes=5000000")
        #expect(try wire.receiveHead().status == 200)
        let stop = Stop(server, within: .seconds(60))
        #expect(try wire.receiveToEnd().count == 5_000_000)
        #expect(stop.end() < .seconds(20) * slowness)
    }

    @Test func `answers every request that was sent before, under load`() throws {
        let server = try TestServer()
        let wires = try (0..<50).map { _ in try server.connect() }
        for (index, wire) in wires.enumerated() {
            if index % 2 == 0 {
                try wire.send("POST", "/later", body: "x")
            } else {
                try wire.send("GET", "/hello")
            }
        }
        let stop = Stop(server, within: .seconds(20))
        for wire in wires { #expect(try wire.receive().status == 200) }
        #expect(stop.end() < .seconds(15) * slowness)
    }

    @Test func `can be stopped twice, and without having begun`() throws {
        let server = try TestServer()
        server.server.stop(until: .after(.seconds(5)))
        server.server.stop(until: .after(.seconds(5)))
        let never = try HTTPServer(
            options: HTTPServerOptions(), log: .silent, Application(Router()))
        never.stop(until: .after(.seconds(5)))
        #expect(throws: SystemFailure.self) { try ClientConnection(port: never.port) }
    }

    @Test func `listens on a port that is given, once`() throws {
        let server = try TestServer()
        var options = HTTPServerOptions()
        options.port = server.port
        #expect(throws: ListenError.self) {
            _ = try HTTPServer(options: options, log: .silent, Application(Router()))
        }
    }
}
