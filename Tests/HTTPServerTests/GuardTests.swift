import Testing
import TestSupport

@testable import HTTPServer

/// Every row of the request guard over a raw socket. Each request is followed by another one that
/// must never be answered: the connection ends with a refusal.
@Suite(.blocking) struct GuardTests {
    let server: TestServer

    init() throws { server = try TestServer() }

    struct Row: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var request: String
        var status: Int
        var code: String
    }

    private static func post(_ fields: String) -> String {
        "POST /echo HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n"
    }

    private static func get(_ target: String) -> String {
        "GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n"
    }

    private static func rows(
        _ status: Int, _ code: String, _ requests: [(name: String, request: String)]
    ) -> [Row] {
        requests.map {
            Row(testDescription: $0.name, request: $0.request, status: status, code: code)
        }
    }

    static let framing: [Row] = [
        rows(
            400, "duplicate_content_length",
            [
                ("twice, the same", "Content-Length: 5\r\nContent-Length: 5"),
                ("twice, different", "Content-Length: 5\r\ncontent-length: 6"),
            ].map { ("Content-Length \($0)", post($1) + "hello") }),
        rows(
            400, "ambiguous_length",
            [
                (
                    "Content-Length before Transfer-Encoding",
                    "Content-Length: 5\r\nTransfer-Encoding: chunked"
                ),
                (
                    "Transfer-Encoding before Content-Length",
                    "Transfer-Encoding: chunked\r\nContent-Length: 5"
                ),
            ].map { ($0, post($1) + "0\r\n\r\n") }),
        rows(
            501, "unsupported_transfer_encoding",
            [
                ("gzip", post("Transfer-Encoding: gzip")),
                ("gzip, chunked", post("Transfer-Encoding: gzip, chunked") + "0\r\n\r\n"),
                ("identity", post("Transfer-Encoding: identity")),
                (
                    "chunked with a space behind",
                    post("Transfer-Encoding: chunked ") + "0\r\n\r\n"
                ),
            ].map { ("Transfer-Encoding \($0)", $1) }),
        rows(
            400, "invalid_transfer_encoding",
            [
                (
                    "Transfer-Encoding twice",
                    post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")
                        + "0\r\n\r\n"
                ),
                (
                    "Transfer-Encoding in HTTP/1.0",
                    "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                ),
            ]),
        rows(
            400, "duplicate_host",
            [("two Hosts", get("/hello").replacing("Host: a", with: "Host: a\r\nHost: a"))]),
        rows(
            400, "missing_host", [("no Host", "GET /hello HTTP/1.1\r\nAccept: */*\r\n\r\n")]),
    ].flatMap { $0 }

    static let hosts: [Row] = rows(
        400, "invalid_host",
        [
            "a b", "a/b", "u@a", "a, b", "a:b", "a:80:80", ":80", "[::1", "[]", "[::1]x", "ä",
            "a?b", "a#b", "http://a", "a\\b",
        ].map {
            ("Host \($0.debugDescription)", get("/hello").replacing("Host: a", with: "Host: \($0)"))
        })

    static let names: [Row] = rows(
        400, "invalid_header",
        [
            ("a space before the colon", "X-A : b"), ("a tab before the colon", "X-A\t: b"),
            ("a space inside a name", "X A: b"), ("an empty name", ": b"),
            ("a bracket in a name", "X[A]: b"), ("UTF-8 in a name", "X-ä: b"),
            ("a control character in a value", "X-A: b\u{1}c"),
            ("DEL in a value", "X-A: b\u{7F}"), ("a bare CR in a value", "X-A: b\rX-B: c"),
            ("a zero byte in a value", "X-A: b\0c"),
            ("a zero byte at the end of a value", "X-A: b\0"),
            ("a zero byte in a length", "Content-Length: 0\05"),
            ("a folded value", "X-A: b\r\n c"), ("a fold with a tab", "X-A: b\r\n\tc: d"),
            ("a folded length", "Content-Length: 1\r\n 5"),
            ("a folded line that looks like a field", "X-A: b\r\n Transfer-Encoding: chunked"),
        ].map { ($0, post($1)) })

    static let lines: [Row] =
        [
            ("G@T", "invalid_method"), ("GE(T", "invalid_method"), ("G\u{1}T", "invalid_method"),
            ("\u{E9}GET", "invalid_method"), ("G:T", "invalid_method"),
            ("GE\0T", "invalid_header"), ("GET ", "invalid_header"),
        ].map { method, code in
            Row(
                testDescription: "the method \(method.debugDescription)",
                request: "\(method) /hello HTTP/1.1\r\nHost: a\r\n\r\n", status: 400, code: code)
        }
        + [
            ("/%00", "invalid_target"), ("/a%", "invalid_target"), ("/a%4", "invalid_target"),
            ("/a%4g", "invalid_target"), ("/a%zz/b", "invalid_target"),
            ("/%ff", "invalid_target"), ("/%c3", "invalid_target"),
            ("/%ed%a0%80", "invalid_target"), ("/%c0%af", "invalid_target"),
            ("/a\u{1}b", "invalid_target"), ("/a\tb", "invalid_target"),
            ("/a\u{7F}", "invalid_target"), ("/a b", "invalid_target"),
            ("/a\rb", "invalid_target"), ("hello", "invalid_target"),
            ("*", "invalid_target"), ("ftp://a/hello", "invalid_target"),
            ("http:/hello", "invalid_target"), ("http:///hello", "invalid_target"),
            ("http://", "invalid_target"), ("http://?a", "invalid_target"),
            ("http://u@a/hello", "invalid_target"), ("http://u:p@a/hello", "invalid_target"),
            ("http://:80/hello", "invalid_target"), ("http://a:b/hello", "invalid_target"),
            ("http://a:80:80/hello", "invalid_target"), ("http://a%zz/hello", "invalid_target"),
            ("http://a%00/hello", "invalid_target"), ("http://a#/hello", "invalid_target"),
            ("http://a\\hello", "invalid_target"), ("http://ä/hello", "invalid_target"),
            ("http://[::1/hello", "invalid_target"), ("http://[]/hello", "invalid_target"),
            ("http://[::1]x/hello", "invalid_target"), ("http://a/%00", "invalid_target"),
            ("http://a/a b", "invalid_target"), ("http://a\0/hello", "invalid_header"),
            ("?a=b", "invalid_target"), ("a:80", "invalid_target"),
            ("/hello ", "invalid_target"), ("/hello\0.txt", "invalid_header"),
            ("/hello?a=b\0c", "invalid_header"),
        ].map { target, code in
            Row(
                testDescription: "the target \(target.debugDescription)", request: get(target),
                status: 400, code: code)
        }

    @Test(arguments: framing + hosts + names + lines + lengths)
    func `refuses as problem+json and closes`(_ row: Row) throws {
        let wire = try server.connect()
        try wire.send(row.request + "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        let reply = try wire.receive()
        #expect(reply.status == row.status)
        #expect(reply.problemCode == row.code, "\(reply.text)")
        #expect(reply.namesRequest)
        if row.request.hasPrefix("POST /echo HTTP") { #expect(reply.problemInstance == "/echo") }
        #expect(reply.closesConnection)
        #expect(try wire.receiveToEnd().isEmpty)
        #expect(server.seen.withLock { $0 }.isEmpty)
    }

    @Test func `refuses bytes that are no UTF-8 where they lie raw in the path`() throws {
        let reply = try server.reply(
            to: Array("GET /a".utf8) + [0xFF] + Array(" HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        #expect(reply.status == 400)
        #expect(reply.problemCode == "invalid_target")
    }

    @Test func `refuses a target of more than 8 KiB`() throws {
        let longest = "/" + String(repeating: "a", count: 8191)
        #expect(try server.reply(to: GuardTests.get(longest)).status == 404)
        let reply = try server.reply(to: GuardTests.get(longest + "a"))
        #expect(reply.status == 414)
        #expect(reply.problemCode == "target_too_long")
        #expect(reply.problemInstance == "/*")
    }

    @Test func `names path and request in each problem, and never the query`() throws {
        let wire = try server.connect()
        for (method, target, status, instance) in [
            ("GET", "/nowhere/17204?key=secret", 404, "/nowhere/*"),
            ("DELETE", "/hello?key=secret", 405, "/hello"),
            ("PUT", "/items/secret", 405, "/items/%7Bid%7D"),
        ] {
            let reply = try wire.ask(method, target)
            #expect(reply.status == status)
            #expect(reply.problemInstance == instance)
            #expect(reply.namesRequest)
            #expect(!reply.text.contains("secret"))
        }
        let named = try wire.ask("GET", "/no", ["X-Request-Id: mine-1"])
        #expect(named.namesRequest && named.header("X-Request-Id") == "mine-1")
        let large = try server.reply(to: GuardTests.post("Content-Length: 99999999999"))
        #expect(large.status == 413 && large.problemInstance == "/echo" && large.namesRequest)
    }

    @Test func `does not choke on thousands of query parameters`() throws {
        let query = (0..<4000).map { _ in "a" }.joined(separator: "&")
        let wire = try server.connect()
        #expect(try wire.ask("GET", "/hello?\(query)").status == 200)
        #expect(try wire.ask("GET", "/hello?a=b").text == "hello")
    }

    /// libmicrohttpd refuses these before it asks.
    static let lengths: [Row] =
        rows(
            400, "invalid_content_length",
            ["-1", "+1", "+5", "5 ", "0x5", "5, 5", "five", "abc", "", "1e3", "5.0"].map {
                ("Content-Length \($0.debugDescription)", post("Content-Length: \($0)") + "hello")
            })
        + rows(
            413, "body_too_large",
            ["18446744073709551616", "99999999999999999999999"].map {
                ("Content-Length \($0)", post("Content-Length: \($0)"))
            })

    /// What libmicrohttpd answers itself: not our page, but a 4xx or 5xx and the end.
    @Test(arguments: [
        "GET /hello HTTP/2.0\r\nHost: a\r\n\r\n", "GET /hello HTTP/0.9\r\n\r\n",
        "GET /hello HTTP/1.1x\r\nHost: a\r\n\r\n", "GET /hello http/1.1\r\nHost: a\r\n\r\n",
        "GET /hello\r\n\r\n", "GET\t/hello\tHTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        "GET /hello HTTP/1.1\r\n Host: a\r\n\r\n",
    ])
    func `ends what libmicrohttpd finds malformed`(_ request: String) throws {
        let wire = try server.connect()
        try wire.send(request + GuardTests.get("/hello"))
        let received = String(decoding: try wire.receiveToEnd(), as: UTF8.self)
        // For the worst it closes without a word.
        let status = received.split(separator: " ").dropFirst().first ?? "closed"
        #expect(status == "closed" || status.hasPrefix("4") || status.hasPrefix("5"))
        #expect(!received.contains("\r\n\r\nhello"))
        #expect(server.seen.withLock { $0 }.isEmpty)
    }

    @Test func `accepts the largest length that there is as too large`() throws {
        for length in ["9223372036854775807", "18446744073709551615"] {
            let reply = try server.reply(to: GuardTests.post("Content-Length: \(length)"))
            #expect(reply.status == 413)
            #expect(reply.problemCode == "body_too_large")
        }
    }

    @Test(arguments: [
        "http://a/hello", "HTTP://a/hello", "https://a.example:8080/hello", "http://a:/hello",
        "http://[::1]:80/hello", "http://127.0.0.1/hello", "http://a%2db/hello",
        "http://other/hello?a=b",
    ])
    func `takes a target in absolute form for its path and query`(_ target: String) throws {
        let wire = try server.connect()
        for _ in 0..<2 {
            let reply = try wire.ask("GET", target)
            #expect(reply.status == 200 && reply.text == "hello")
        }
        #expect(try wire.ask("GET", target.replacing("/hello", with: "/no")).status == 404)
        #expect(try wire.ask("HEAD", target).status == 200)
    }

    @Test func `reads path parameters and queries of a target in absolute form`() throws {
        let wire = try server.connect()
        #expect(try wire.ask("GET", "http://a/items/%2Fx").text == "/x")
        #expect(try wire.ask("GET", "http://a/big?n=5").text == "xxxxx")
        #expect(try wire.ask("POST", "http://a/echo", body: "body").text == "body")
        // No route answers the root here.
        #expect(try wire.ask("GET", "http://a").status == 404)
        #expect(try server.reply(to: "GET http://a/hello HTTP/1.0\r\n\r\n").status == 200)
    }

    @Test func `keeps every rule for a target in absolute form`() throws {
        let line = "GET http://a/hello HTTP/1.1\r\n"
        for (fields, code) in [
            ("Host: a\r\nHost: b\r\n", "duplicate_host"), ("", "missing_host"),
            ("Host: a\r\nX-A: b\r\n c\r\n", "invalid_header"),
            ("Host: a\r\nX-A : b\r\n", "invalid_header"),
        ] {
            let reply = try server.reply(to: line + fields + "\r\n")
            #expect(reply.status == 400 && reply.problemCode == code)
        }
        // The authority counts, not Host; neither leads anywhere here.
        #expect(try server.reply(to: line + "Host: b\r\n\r\n").status == 200)
        let long = "http://a/" + String(repeating: "a", count: 8192)
        #expect(try server.reply(to: GuardTests.get(long)).problemCode == "target_too_long")
    }

    @Test func `says to OPTIONS for the whole server what any path allows`() throws {
        let wire = try server.connect()
        for target in ["*", "http://a", "https://a:1"] {
            let reply = try wire.ask("OPTIONS", target)
            #expect(reply.status == 204)
            #expect(reply.header("Allow") == "GET, HEAD, OPTIONS, POST")
        }
    }

    @Test(arguments: ["a:80", "a:", "A.Example", "127.0.0.1:8080", "[::1]:80", "a_b-c.d", "a "])
    func `takes a host by its grammar`(_ host: String) throws {
        let reply = try server.reply(to: "GET /hello HTTP/1.1\r\nHost: \(host)\r\n\r\n")
        #expect(reply.status == 200)
    }

    @Test func `takes what is unusual and allowed`() throws {
        let host = "Host: a\r\n"
        #expect(try server.reply(to: "\r\n\r\nGET /hello HTTP/1.1\r\n\(host)\r\n").status == 200)
        #expect(try server.reply(to: "GET /hello HTTP/1.1\n\(host)\n").status == 200)
        #expect(try server.reply(to: "GET /hello HTTP/1.1\r\nHost:\r\n\r\n").status == 200)
        #expect(try server.reply(to: "GET /hello HTTP/1.1\r\n\(host)X-A:\t \r\n\r\n").status == 200)
        #expect(try server.reply(to: "GET /hello HTTP/1.0\r\n\r\n").status == 200)
        #expect(try server.reply(to: GuardTests.get("/items/%C3%A4%20b")).text == "ä b")
        #expect(try server.reply(to: GuardTests.get("/items/ä")).text == "ä")
        #expect(try server.reply(to: GuardTests.get("/items/%2F..%2f")).text == "/../")
        #expect(try server.reply(to: GuardTests.get("/hello?a=%00%zz")).status == 200)
        #expect(try server.reply(to: "FOO /hello HTTP/1.1\r\n\(host)\r\n").status == 405)
    }
}
