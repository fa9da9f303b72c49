import HTTPClient
import Primitives
import TestSupport
import Testing

@Suite(.blocking) struct HTTPClientTests {
    private func post(
        _ url: String, _ client: HTTPClient = HTTPClient(), body: String = "[]",
        within limit: Duration = .seconds(10)
    ) throws(HTTPClientError) -> HTTPReply {
        try client.post(
            url, headers: [("Content-Type", "application/json")], body: Bytes(body),
            deadline: .after(limit))
    }

    /// The code of the error that `body` throws; nil if it throws none.
    private func code(
        _ body: () throws(HTTPClientError) -> HTTPReply
    ) -> HTTPClientError.Code? {
        do throws(HTTPClientError) {
            _ = try body()
            return nil
        } catch { return error.code }
    }

    @Test func `sends the body as it is and brings back status and body`() throws {
        let seen = Locked<RawConnection.Request?>(nil)
        let server = try RawServer { connection in
            let request = connection.request()
            seen.withLock { $0 = request }
            connection.reply(202, body: "taken")
        }
        let reply = try post(server.url + "hook?a=1", body: "[{\"a\":\"ü\"}]")
        #expect(reply.status == 202)
        #expect(reply.body.text == "taken")
        #expect(!reply.isTruncated)
        #expect(reply.retryAfter == nil)
        let request = try #require(seen.withLock { $0 })
        #expect(request.head.hasPrefix("POST /hook?a=1 HTTP/1.1\r\n"))
        #expect(request.header("Content-Type") == "application/json")
        #expect(request.header("User-Agent") == "millrace")
        #expect(request.header("Expect") == nil)
        #expect(request.text == "[{\"a\":\"ü\"}]")
    }

    @Test func `a body of several megabytes arrives whole`() throws {
        let length = Locked(0)
        let server = try RawServer { connection in
            let count = connection.request()?.body.count ?? 0
            length.withLock { $0 = count }
            connection.reply(200)
        }
        let body = String(repeating: "x", count: 3 << 20)
        #expect(try post(server.url, body: body).status == 200)
        #expect(length.withLock { $0 } == 3 << 20)
    }

    @Test func `requests one after the other share a connection`() throws {
        let server = try RawServer { connection in
            while connection.request() != nil { connection.reply(200) }
        }
        let client = HTTPClient()
        for _ in 0..<5 { #expect(try post(server.url, client).status == 200) }
        #expect(server.connectionCount == 1)
    }

    @Test func `a kept connection that the server has closed is replaced`() throws {
        let server = try RawServer { connection in
            if connection.request() != nil { connection.reply(200) }
        }
        let client = HTTPClient()
        for _ in 0..<3 { #expect(try post(server.url, client).status == 200) }
        #expect(server.connectionCount == 3)
    }

    @Test func `a server that never answers costs the deadline and no more`() throws {
        let server = try RawServer { $0.hang() }
        let start = MonotonicTime.now()
        #expect(
            code { () throws(HTTPClientError) in
                try post(server.url, within: .milliseconds(200))
            } == .timeout)
        let took = MonotonicTime.now().since(start)
        #expect(took >= .milliseconds(190) && took < .seconds(3) * slowness)
    }

    @Test func `a server that trickles cannot outlast the deadline`() throws {
        let server = try RawServer { connection in
            _ = connection.request()
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while connection.send("x") { sleep(until: .after(.milliseconds(5))) }
        }
        #expect(
            code { () throws(HTTPClientError) in
                try post(server.url, within: .milliseconds(200))
            } == .timeout)
    }

    @Test(arguments: [
        ("", HTTPClientError.Code.reset),
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal", .reset),
        ("+PONG\r\n+PONG\r\n+PONG\r\n", .protocolViolation),
        ("\u{0}\u{1}\u{2} garbage that goes on for a while\r\n\r\n", .protocolViolation),
    ])
    func `a reply that ends early or is none is told apart`(
        reply: String, expected: HTTPClientError.Code
    ) throws {
        let server = try RawServer { connection in
            _ = connection.request()
            connection.send(reply)
        }
        #expect(code { () throws(HTTPClientError) in try post(server.url) } == expected)
    }

    @Test func `a connection that is reset is an error, and the next request works`() throws {
        let server = try RawServer { connection in
            guard connection.request() != nil else { return }
            if connection.index == 0 { connection.resetOnClose() } else { connection.reply(200) }
        }
        let client = HTTPClient()
        #expect(code { () throws(HTTPClientError) in try post(server.url, client) } == .reset)
        #expect(try post(server.url, client).status == 200)
    }

    @Test func `of an endless reply the beginning is kept, and the connection ends`() throws {
        let hasEnded = Locked(false)
        let server = try RawServer { connection in
            _ = connection.request()
            connection.send("HTTP/1.1 200 OK\r\n\r\n")
            while connection.send(String(repeating: "y", count: 10_000)) {}
            hasEnded.withLock { $0 = true }
        }
        var options = HTTPClientOptions()
        options.replyLimitBytes = 1000
        let reply = try post(server.url, HTTPClient(options))
        #expect(reply.status == 200)
        #expect(reply.isTruncated)
        #expect(reply.body.text == String(repeating: "y", count: 1000))
        #expect(eventually { hasEnded.withLock { $0 } })
    }

    @Test func `endless headers are an error`() throws {
        let server = try RawServer { connection in
            _ = connection.request()
            connection.send("HTTP/1.1 200 OK\r\n")
            while connection.send("X-Filler: \(String(repeating: "z", count: 900))\r\n") {}
        }
        #expect(code { () throws(HTTPClientError) in try post(server.url) } == .tooLarge)
    }

    @Test func `a redirect is an answer and is not followed`() throws {
        let elsewhere = try RawServer { $0.reply(200) }
        let server = try RawServer { connection in
            _ = connection.request()
            connection.reply(307, headers: ["Location: \(elsewhere.url)"])
        }
        #expect(try post(server.url).status == 307)
        #expect(elsewhere.connectionCount == 0)
    }

    @Test(arguments: [
        ("7", Duration.seconds(7)), ("0", nil), ("soon", nil), ("-5", nil),
        ("Sun, 06 Nov 1994 08:49:37 GMT", nil),
    ])
    func `Retry-After is read in seconds`(value: String, expected: Duration?) throws {
        let server = try RawServer { connection in
            _ = connection.request()
            connection.reply(429, headers: ["Retry-After: \(value)"])
        }
        let reply = try post(server.url)
        #expect(reply.status == 429)
        #expect(reply.retryAfter == expected)
    }

    @Test(arguments: [
        "Thu, 01 Jan 2099 00:00:00 GMT", "Thursday, 01-Jan-99 00:00:00 GMT",
        "Thu Jan  1 00:00:00 2099",
    ])
    func `Retry-After is read as a date`(date: String) throws {
        let server = try RawServer { connection in
            _ = connection.request()
            connection.reply(503, headers: ["Retry-After: \(date)"])
        }
        let retryAfter = try post(server.url).retryAfter
        // The two-digit year of RFC 850 may also be understood as one that has passed.
        if date.contains("2099") {
            let seconds = try #require(retryAfter).inSeconds
            let expected = 4_070_908_800 - Double(WallClock.nowMilliseconds()) / 1000
            #expect(abs(seconds - expected) < 60)
        }
    }

    @Test func `nobody listens`() throws {
        let server = try RawServer { $0.reply(200) }
        let url = server.url
        server.close()
        #expect(code { () throws(HTTPClientError) in try post(url) } == .connect)
        #expect(
            code { () throws(HTTPClientError) in
                try post("http://host.invalid/", within: .seconds(20))
            } == .connect)
    }

    @Test(arguments: [
        "file:///etc/passwd", "ftp://127.0.0.1/", "127.0.0.1", "", "gopher://127.0.0.1/",
        "http://127.0.0.1/\r\nX-Smuggled: 1", "http://",
    ])
    func `a URL that is none of ours is refused`(url: String) {
        #expect(code { () throws(HTTPClientError) in try post(url) } == .invalidRequest)
    }

    @Test func `a line break cannot smuggle a header in`() throws {
        let client = HTTPClient()
        #expect(
            code { () throws(HTTPClientError) in
                try client.post(
                    "http://127.0.0.1:9/", headers: [("X-A", "b\r\nX-C: d")], body: Bytes("[]"),
                    deadline: .after(.seconds(1)))
            } == .invalidRequest)
    }
}
