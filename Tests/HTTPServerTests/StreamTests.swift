import Glibc
import Primitives
import TestSupport
import Testing

@testable import HTTPServer

/// Server-Sent Events over a socket.
@Suite(.blocking) struct StreamTests {
    private func open(_ server: TestServer) throws -> (ClientConnection, EventStream) {
        let count = server.streams.withLock { $0.count }
        let wire = try server.connect()
        try wire.send("GET", "/stream")
        #expect(try wire.receiveHead().header("Content-Type") == "text/event-stream")
        let streams = try server.streams.once { $0.count > count }
        return (wire, streams[count])
    }

    @Test func `sends data as it comes and ends the body`() throws {
        let server = try TestServer()
        let (wire, stream) = try open(server)
        for number in 0..<100 {
            #expect(stream.send(Bytes("data: \(number)\n\n")))
            let chunk = try #require(try wire.receiveChunk())
            #expect(String(decoding: chunk, as: UTF8.self) == "data: \(number)\n\n")
            if number % 10 == 0 { usleep(8000) }
        }
        stream.finish()
        #expect(try wire.receiveChunk() == nil)
        expectEventually { stream.isClosed }
        #expect(!stream.send(Bytes("more")))
        #expect(try wire.ask("GET", "/hello").text == "hello", "the connection goes on")
    }

    @Test func `sends what was queued before the request was there`() throws {
        let server = try TestServer()
        let wire = try server.connect()
        try wire.send("GET", "/held")
        let stream = EventStream()
        #expect(stream.send(Bytes("early")))
        stream.finish()
        try server.held.once { !$0.isEmpty }[0].respond(Response(200, body: .stream(stream)))
        #expect(try wire.receive().text == "early")
    }

    @Test func `sends much, in order and whole`() throws {
        let server = try TestServer()
        let (wire, stream) = try open(server)
        let writer = Thread(name: "writer") {
            for number in 0..<20_000 {
                while !stream.send(Bytes("\(number)\n")), !stream.isClosed { usleep(100) }
            }
            stream.finish()
        }
        var text: [UInt8] = []
        while let chunk = try wire.receiveChunk() { text += chunk }
        writer.join()
        let expected = (0..<20_000).map { "\($0)\n" }.joined()
        #expect(String(decoding: text, as: UTF8.self) == expected)
    }

    @Test func `streams to HTTP 1.0 until it closes`() throws {
        let server = try TestServer()
        let wire = try server.connect()
        try wire.send("GET /stream HTTP/1.0\r\n\r\n")
        let stream = try server.streams.once { !$0.isEmpty }[0]
        let reply = try wire.receiveHead()
        #expect(!reply.isChunked)
        #expect(stream.send(Bytes("plain")))
        usleep(20_000)
        stream.finish()
        #expect(String(decoding: try wire.receiveToEnd(), as: UTF8.self) == "plain")
    }

    @Test func `keeps a silent stream open with comments`() throws {
        let server = try TestServer { $0.heartbeatInterval = .milliseconds(100) }
        let (wire, stream) = try open(server)
        for _ in 0..<2 {
            #expect(try wire.receiveChunk().map { String(decoding: $0, as: UTF8.self) } == ":\n\n")
        }
        #expect(!stream.isClosed)
    }

    @Test(arguments: [true, false])
    func `says that the client has left`(_ isReset: Bool) throws {
        let server = try TestServer()
        let closed = Monitor(0)
        try leave(server, closed, reset: isReset)
        #expect(try closed.once { $0 > 0 } == 1)
        expectEventually { server.server.openConnections == 0 }
        let stream = server.streams.withLock { $0[0] }
        #expect(!stream.send(Bytes("x")))
        stream.finish()
        stream.onClose { closed.change { $0 += 1 } }
        #expect(closed.withLock { $0 } == 2)
    }

    private func leave(_ server: TestServer, _ closed: Monitor<Int>, reset: Bool) throws {
        let (wire, stream) = try open(server)
        stream.onClose { closed.change { $0 += 1 } }
        #expect(stream.send(Bytes("x")))
        _ = try wire.receiveChunk()
        if reset { wire.resetOnClose() }
    }

    @Test func `goes on for who has closed its side`() throws {
        let server = try TestServer()
        let (wire, stream) = try open(server)
        wire.finishSending()
        #expect(try wire.receiveChunk().map { String(decoding: $0, as: UTF8.self) } == ":\n\n")
        #expect(stream.send(Bytes("still here")))
        #expect(
            try wire.receiveChunk().map { String(decoding: $0, as: UTF8.self) } == "still here")
    }

    @Test func `cuts off who does not read`() throws {
        let server = try TestServer {
            $0.replyTimeout = .milliseconds(400)
            $0.heartbeatInterval = .milliseconds(100)
        }
        let wire = try server.connect(receiveBytes: 4096)
        try wire.send("GET", "/stream")
        let stream = try server.streams.once { !$0.isEmpty }[0]
        let block = Bytes(String(repeating: "x", count: 64 << 10))
        expectEventually {
            stream.isClosed
                || {
                    while stream.send(block) {}; return false
                }()
        }
        expectEventually { server.server.openConnections == 0 }
    }

    @Test func `serves hundreds of streams beside other requests`() throws {
        let server = try TestServer()
        let wires = try (0..<300).map { _ in try open(server) }
        for round in 0..<5 {
            for (index, (_, stream)) in wires.enumerated() {
                #expect(stream.send(Bytes("\(index)-\(round)")))
            }
            for (index, (wire, _)) in wires.enumerated() {
                let chunk = try #require(try wire.receiveChunk())
                #expect(String(decoding: chunk, as: UTF8.self) == "\(index)-\(round)")
            }
            #expect(try server.connect().ask("GET", "/hello").text == "hello")
        }
        for (_, stream) in wires { stream.finish() }
        for (wire, _) in wires { #expect(try wire.receiveChunk() == nil) }
    }
}
