import Primitives
import Telemetry
import TestSupport
import Testing

@testable import HTTPServer

/// What libmicrohttpd cannot parse it answers by itself, and does not say to whom: exactly what goes
/// out is kept here. Each case is counted and logged.
@Suite(.blocking) struct MalformedTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var request: String
        /// Nil: it closes without a word.
        var status: Int?
    }

    private static let line = "GET /hello HTTP/1.1\r\nHost: a\r\n"
    private static let chunked =
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

    static let rows: [Row] = [
        Row(
            testDescription: "HTTP/2.0", request: "GET /hello HTTP/2.0\r\nHost: a\r\n\r\n",
            status: 505),
        Row(testDescription: "HTTP/0.9", request: "GET /hello HTTP/0.9\r\n\r\n", status: 505),
        Row(
            testDescription: "another protocol", request: "GET /hello http/1.1\r\nHost: a\r\n\r\n",
            status: 400),
        Row(testDescription: "no version", request: "GET /hello\r\n\r\n", status: 400),
        Row(testDescription: "no colon", request: line + "no colon\r\n\r\n", status: 400),
        Row(
            testDescription: "a chunk of no size", request: chunked + "g\r\n0\r\n\r\n",
            status: 400),
        Row(
            testDescription: "a chunk longer than it says",
            request: chunked + "5\r\nhelloX\r\n0\r\n\r\n", status: 400),
        Row(
            testDescription: "a chunk beyond 64 bits", request: chunked + "ffffffffffffffffff\r\n",
            status: 413),
        Row(
            testDescription: "a header of 40 KB",
            request: line + "X: " + String(repeating: "a", count: 40_000) + "\r\n\r\n",
            status: 431),
        Row(
            testDescription: "a target of 60 KB",
            request: "GET /" + String(repeating: "a", count: 60_000) + " HTTP/1.1\r\n\r\n",
            status: 414),
    ]

    @Test(arguments: rows)
    func `sends one page of libmicrohttpd's own, closes, counts and logs`(_ row: Row) throws {
        let written = Monitor("")
        let log = Logger(level: .info) { line in
            written.change { $0 += String(decoding: line, as: UTF8.self) }
        }
        let router = Router.everything("/echo") { _, responder in
            responder.respond(.text(200, "answered"))
        }
        let server = try HTTPServer(options: HTTPServerOptions(), log: log, Application(router))
        server.start()
        defer {
            server.stop(until: .after(.seconds(1)))
            log.close()
        }
        let wire = try ClientConnection(port: server.port)
        // What it does not read is answered with a reset, which may overtake its page.
        try? wire.send(row.request)
        let received = String(
            decoding: (try? wire.receiveToEnd()) ?? [], as: UTF8.self)
        if !received.isEmpty || row.request.utf8.count < 10_000 {
            let lines = received.split(separator: "\r\n", omittingEmptySubsequences: false)
            #expect(lines.filter { $0.hasPrefix("HTTP/1.") }.count == 1, "\(received)")
            #expect(lines[0].split(separator: " ")[1] == "\(row.status ?? 0)", "\(received)")
            #expect(lines.contains("Connection: close"))
            #expect(received.contains("\r\n\r\n<html>"))
            #expect(!received.contains("answered"))
        }
        expectEventually { server.malformedRequests == 1 }
        expectEventually {
            written.withLock { $0 }.contains(
                #""message":"a request was malformed","status":\#(row.status ?? 0)"#)
        }
    }

    @Test func `logs a length that is none as the request that it is`() throws {
        let written = Monitor("")
        let log = Logger(level: .info) { line in
            written.change { $0 += String(decoding: line, as: UTF8.self) }
        }
        let server = try HTTPServer(options: HTTPServerOptions(), log: log, Application(Router()))
        server.start()
        defer {
            server.stop(until: .after(.seconds(1)))
            log.close()
        }
        // One that is in the middle of its header must not get the other's answer.
        let waiting = try ClientConnection(port: server.port)
        try waiting.send("POST /echo HTTP/1.1\r\nHost: a\r\n")
        let wire = try ClientConnection(port: server.port)
        try wire.send(
            "POST /echo HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine-7\r\nContent-Length: +1\r\n\r\nx")
        let reply = try wire.receive()
        #expect(reply.status == 400 && reply.problemCode == "invalid_content_length")
        #expect(reply.namesRequest && reply.header("X-Request-Id") == "mine-7")
        #expect(try wire.receiveToEnd().isEmpty)
        expectEventually {
            written.withLock { $0 }.contains(#""code":"invalid_content_length""#)
                && written.withLock { $0 }.contains(#""request_id":"mine-7""#)
        }
        #expect(server.malformedRequests == 0)
        try waiting.send("Content-Length: +1\r\n\r\n")
        #expect(try waiting.receive().problemCode == "invalid_content_length")
    }
}
