import Testing
import TestSupport

@testable import HTTPServer

@Suite(.blocking) struct HeaderSizeTests {
    let server: TestServer

    init() throws { server = try TestServer() }

    private func request(fields: Int, ofBytes bytes: Int) -> String {
        let line = "X: " + String(repeating: "a", count: max(0, bytes - 5)) + "\r\n"
        return "GET /hello HTTP/1.1\r\nHost: a\r\n" + String(repeating: line, count: fields)
            + "\r\n"
    }

    @Test func `refuses a header of more than 32 KiB as problem+json`() throws {
        let reply = try server.reply(to: request(fields: 1, ofBytes: 33_000))
        #expect(reply.status == 431)
        #expect(reply.problemCode == "header_too_large")
        #expect(reply.closesConnection)
    }

    @Test func `takes a header of nearly 32 KiB`() throws {
        #expect(try server.reply(to: request(fields: 1, ofBytes: 32_700)).status == 200)
        #expect(try server.reply(to: request(fields: 100, ofBytes: 280)).status == 200)
    }

    @Test(arguments: [40_000, 70_000, 1_000_000])
    func `refuses a header beyond libmicrohttpd's memory`(_ bytes: Int) throws {
        let wire = try server.connect()
        // The server closes while this is sent, so sending may fail.
        try? wire.send(request(fields: 1, ofBytes: bytes))
        #expect(wire.isClosed())
        #expect(try server.reply(to: request(fields: 1, ofBytes: 10)).status == 200)
    }

    @Test func `refuses a request line beyond libmicrohttpd's memory`() throws {
        let wire = try server.connect()
        try? wire.send("GET /" + String(repeating: "a", count: 60_000) + " HTTP/1.1\r\n")
        #expect(wire.isClosed())
    }

    /// Around the point where fields and the reply's header share the last of the memory.
    @Test(arguments: [6, 20, 60, 200, 1000])
    func `always answers, whatever the number and size of fields`(_ bytes: Int) throws {
        let most = 36_000 / bytes
        var bare = 0
        for fields in stride(from: most / 12, through: most, by: max(1, most / 90)) {
            let wire = try server.connect()
            try? wire.send(request(fields: fields, ofBytes: bytes))
            let reply = try wire.receive()
            #expect([200, 431].contains(reply.status), "\(fields) fields")
            // Where its own memory runs out, libmicrohttpd answers with a page of its own.
            guard reply.status == 431, reply.problemCode != nil else { continue }
            #expect(reply.problemInstance == "/hello" && reply.namesRequest)
            if reply.text.contains("too many fields") { bare += 1 }
        }
        #expect(bare > 0 || bytes < 60)
    }

    @Test func `answers a request with very many cookies`() throws {
        for count in stride(from: 100, through: 2000, by: 100) {
            let cookies = (0..<count).map { "a\($0)=b" }.joined(separator: "; ")
            let wire = try server.connect()
            try? wire.send("GET", "/hello", ["Cookie: \(cookies)"])
            let reply = try wire.receive()
            #expect([200, 431].contains(reply.status), "\(count) cookies")
        }
    }
}
