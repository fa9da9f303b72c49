import Primitives
import Testing
import TestSupport

@testable import HTTPServer

@Suite(.blocking) struct ProblemTests {
    private func json(
        _ problem: Problem, _ target: String = "/", route: String? = nil
    ) throws -> JSONValue {
        let request = Request(.get, target)
        request.id.append("id-\"1\"")
        request.route = route
        return try JSONValue.parse(problem.response(for: request).bodyText)
    }

    @Test(arguments: [
        400, 401, 403, 404, 405, 406, 408, 409, 413, 414, 415, 417, 422, 429, 431, 500, 501, 503,
        504, 599,
    ])
    func `is JSON with all that a problem has`(_ status: Int) throws {
        let problem = Problem(status, "a_code", "Quotes \" and \\ and \u{1} and ä.")
        let value = try json(problem, "/query/named/x?key=y", route: "/query/named/{name}")
        #expect(value["type"]?.text == "about:blank")
        #expect(value["title"]?.text?.isEmpty == false)
        #expect(value["status"] == .integer(Int64(status)))
        #expect(value["code"]?.text == "a_code")
        #expect(value["detail"]?.text == "Quotes \" and \\ and \u{1} and ä.")
        #expect(value["instance"]?.text == "/query/named/%7Bname%7D")
        #expect(value["request_id"]?.text == "id-\"1\"")
    }

    @Test func `carries what helps`() throws {
        var problem = Problem(413, "too_large", "x", limit: 5, parameter: "p\"", offset: 7)
        problem.errors = Bytes(#"[{"index":1}]"#)
        let value = try json(problem)
        #expect(value["limit"] == .integer(5))
        #expect(value["parameter"]?.text == "p\"")
        #expect(value["offset"] == .integer(7))
        #expect(value["errors"]?.elements?.count == 1)
        #expect(value["instance"]?.text == "/")
        let plain = try json(Problem(400, "x", "y"))
        for key in ["limit", "parameter", "offset", "errors"] { #expect(plain[key] == nil) }
    }

    @Test func `says when to try again wherever that is due`() {
        func retryAfter(_ problem: Problem) -> String? {
            problem.response(for: Request(.get, "/")).header("Retry-After")
        }
        #expect(retryAfter(Problem(503, "x", "y")) == "1")
        #expect(retryAfter(Problem(429, "x", "y")) == "1")
        #expect(retryAfter(Problem(503, "x", "y", retryAfterSeconds: 30)) == "30")
        #expect(retryAfter(Problem(500, "x", "y")) == nil)
    }

    @Test func `carries its code and headers into the response`() {
        var problem = Problem(405, "x", "y")
        problem.headers.append(("Allow", "GET"))
        problem.closesConnection = true
        let response = problem.response(for: Request(.get, "/"))
        #expect(response.header("allow") == "GET")
        #expect(response.problemCode == "x")
        #expect(response.closesConnection)
        #expect(response.cacheControl.description == "no-store")
        #expect(response.contentType?.description == "application/problem+json")
    }

    @Test(
        arguments: [
            ("/", "/"), ("/events", "/events"), ("/Events/", "/Events/"),
            ("/v1/logs?q=x", "/v1/logs"),
            ("/a-b/c_d.yaml", "/a-b/c_d.yaml"), ("/users/17204", "/users/*"),
            ("/users/ann@example.com/mail", "/users/*/mail"), ("/a%20b/c", "/*/c"),
            ("/%22", "/*"), ("/ä", "/*"), ("/a#b", "/*"), ("/a\"b\\", "/*"), ("/a\u{1}", "/*"),
            ("/{name}", "/*"), ("//host/x", "/*/host/x"), ("//", "/*/"), ("/a//b", "/a/*/b"),
            ("/6b1f20c4-91aa-4d7e/x", "/*/x"), ("http://u@host/x", nil),
            ("http://host/a/17204?b", "/a/*"), ("http://host", "/"), ("*", nil), ("", nil),
            ("a", nil),
            ("/" + String(repeating: "a", count: 24), "/" + String(repeating: "a", count: 24)),
            ("/" + String(repeating: "a", count: 25), "/*"),
            ("/a/b/c/d/e/f/g/h", "/a/b/c/d/e/f/g/h"), ("/a/b/c/d/e/f/g/h/i", "/a/b/c/d/e/f/g/*"),
            (String(repeating: "/", count: 4000), "/*/*/*/*/*/*/*/*"),
        ] as [(String, String?)])
    func `shows of a path without a route its words alone`(
        _ target: String, _ shown: String?
    ) throws {
        #expect(try json(Problem(404, "x", "y"), target)["instance"]?.text == shown)
    }

    @Test(arguments: [
        BareReply.tooManyConnections, BareReply.requestTimeout, BareReply.headerTooLarge,
    ])
    func `is well-formed where it is written straight to a socket`(_ problem: Problem) throws {
        let request = Request(.get, "/events?a=b")
        request.id.append("id-1")
        let parts = BareReply.bytes(problem, for: request).text.split(separator: "\r\n\r\n")
        let length = parts[0].split(separator: "Content-Length: ").last.flatMap { Int($0) }
        #expect(length == parts[1].utf8.count)
        let value = try JSONValue.parse(String(parts[1]))
        #expect(value["status"] == .integer(Int64(problem.status)))
        #expect(value["code"]?.text == problem.code)
        #expect(value["instance"]?.text == "/events")
        #expect(value["request_id"]?.text == "id-1")
        let title = value["title"]?.text ?? ""
        #expect(parts[0].hasPrefix("HTTP/1.1 \(problem.status) \(title)\r\n"))
        #expect(parts[0].contains("\r\nX-Request-Id: id-1\r\n"))
        #expect(parts[0].contains("\r\nRetry-After: 1\r\n") == (problem.status == 503))
    }
}
