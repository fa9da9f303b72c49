import Primitives
import TestSupport
import Testing

@testable import HTTPServer

@Suite(.blocking) struct ReplyTests {
    let server: TestServer

    init() throws { server = try TestServer() }

    private func get(_ target: String, _ headers: [String] = []) throws -> ClientReply {
        try server.connect().ask("GET", target, headers)
    }

    @Test func `carries the headers that every reply has`() throws {
        for target in ["/hello", "/nothing", "/empty", "/big?bytes=5000"] {
            let reply = try get(target)
            #expect(reply.header("X-Content-Type-Options") == "nosniff")
            #expect(reply.header("Cache-Control") == "no-store")
            #expect(reply.header("X-Request-Id")?.isEmpty == false)
            #expect(reply.header("Date") != nil)
        }
    }

    @Test(arguments: ["/hello", "/fixed", "/big?bytes=100000", "/empty", "/nothing", "/slow?ms=20"])
    func `answers HEAD with the headers of GET and no body`(_ target: String) throws {
        let wire = try server.connect()
        let full = try wire.ask("GET", target)
        let head = try wire.ask("HEAD", target)
        #expect(head.status == full.status)
        #expect(head.header("Content-Length") == full.header("Content-Length"))
        #expect(head.header("Content-Type") == full.header("Content-Type"))
        // Nothing is left over that the next reply would be taken from.
        #expect(try wire.ask("GET", "/hello").text == "hello")
    }

    @Test func `answers HEAD of a stream and ends it`() throws {
        let wire = try server.connect()
        #expect(try wire.ask("HEAD", "/stream").header("Content-Type") == "text/event-stream")
        let stream = try server.streams.once { !$0.isEmpty }[0]
        expectEventually { stream.isClosed }
        #expect(try wire.receiveToEnd().isEmpty)
    }

    @Test func `compresses large replies for who accepts it`() throws {
        let coded = try get("/big?bytes=5000", ["Accept-Encoding: br, gzip"])
        #expect(coded.header("Content-Encoding") == "gzip")
        #expect(coded.header("Vary") == "Accept-Encoding")
        var plain = ByteBuffer()
        try coded.body.withUnsafeBytes {
            try Inflate.inflate(
                $0, .gzip, limits: Inflate.Limits(outputBytes: 1 << 20, ratio: 10_000), into: &plain
            )
        }
        #expect(plain.text == String(repeating: "x", count: 5000))
        let asIs = try get("/big?bytes=5000")
        #expect(asIs.header("Content-Encoding") == nil)
        #expect(asIs.header("Vary") == "Accept-Encoding")
        #expect(asIs.body.count == 5000)
        let small = try get("/big?bytes=1024", ["Accept-Encoding: gzip"])
        #expect(small.header("Content-Encoding") == nil)
        #expect(small.body.count == 1024)
    }

    @Test func `sends large replies whole`() throws {
        #expect(try get("/big?bytes=20000000").body.count == 20_000_000)
    }

    @Test(arguments: ["abc", "A.b-c_1:2/3+4=@", String(repeating: "x", count: 64)])
    func `echoes a sane request id`(_ id: String) throws {
        #expect(try get("/hello", ["X-Request-Id: \(id)"]).header("X-Request-Id") == id)
        let missing = try get("/nothing", ["X-Request-Id: \(id)"])
        #expect(try JSONValue.parse(missing.text)["request_id"]?.text == id)
    }

    @Test(arguments: ["", "a b", "ä", "<script>", "a;b", "\"", String(repeating: "x", count: 65)])
    func `replaces a request id that is not sane`(_ id: String) throws {
        let given = try get("/hello", ["X-Request-Id: \(id)"]).header("X-Request-Id")
        #expect(given?.count == 16)
        #expect(given?.allSatisfy(\.isHexDigit) == true)
    }

    @Test func `gives each request an id of its own, also within one trace`() throws {
        let parent = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let ids = try (0..<20).map { number in
            try get("/hello", number % 2 == 0 ? [parent] : []).header("X-Request-Id") ?? ""
        }
        #expect(Set(ids).count == 20)
    }

    @Test func `continues a trace`() throws {
        let reply = try get(
            "/ids", ["traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"])
        #expect(reply.text == "0af7651916cd43dd8448eb211c80319c b7ad6b7169203331")
        let fresh = try get("/ids", ["traceparent: 00-0af7651916cd43dd8448eb211c80319c-zz-01"])
        #expect(!fresh.text.hasPrefix("0af7651916cd43dd8448eb211c80319c"))
        #expect(fresh.text.hasSuffix(" 0000000000000000"))
        let one = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        for two in [[one, one], [one, "Traceparent: x"]] {
            let reply = try get("/ids", two)
            #expect(!reply.text.hasPrefix("0af7651916cd43dd8448eb211c80319c"))
            #expect(reply.text.hasSuffix(" 0000000000000000"))
        }
    }

    @Test func `says 404, 405 and what is allowed`() throws {
        #expect(try get("/nothing").problemCode == "not_found")
        let wrong = try server.connect().ask("POST", "/hello", body: "x")
        #expect(wrong.closesConnection)
        let wire = try server.connect()
        #expect(wrong.status == 405)
        #expect(wrong.problemCode == "method_not_allowed")
        #expect(wrong.header("Allow") == "GET, HEAD, OPTIONS")
        let options = try wire.ask("OPTIONS", "/echo")
        #expect(options.status == 204)
        #expect(options.header("Allow") == "OPTIONS, POST")
        #expect(try wire.ask("OPTIONS", "*").status == 204)
        #expect(try wire.ask("TRACE", "/hello").status == 405)
        #expect(try wire.ask("CONNECT", "/hello").status == 405)
        #expect(try wire.ask("get", "/hello").status == 405)
    }

    @Test func `sends no CORS headers unless origins are configured`() throws {
        let reply = try get("/hello", ["Origin: https://a.example"])
        #expect(reply.header("Access-Control-Allow-Origin") == nil)
        #expect(reply.header("Vary") == nil)
    }

    @Test func `lets the configured origins in`() throws {
        let server = try TestServer { $0.corsOrigins = ["https://a.example"] }
        let allowed = try server.connect().ask("GET", "/hello", ["Origin: https://a.example"])
        #expect(allowed.header("Access-Control-Allow-Origin") == "https://a.example")
        #expect(allowed.header("Vary") == "Origin")
        for origin in ["https://b.example", "https://a.example.evil", "null", "https://A.example"] {
            let refused = try server.connect().ask("GET", "/hello", ["Origin: \(origin)"])
            #expect(refused.header("Access-Control-Allow-Origin") == nil)
            #expect(refused.header("Vary") == "Origin")
        }
        let preflight = try server.connect().ask(
            "OPTIONS", "/echo",
            ["Origin: https://a.example", "Access-Control-Request-Method: POST"])
        #expect(preflight.header("Access-Control-Allow-Methods")?.contains("POST") == true)
        #expect(preflight.header("Access-Control-Max-Age") == "600")
        let exposed = allowed.header("Access-Control-Expose-Headers") ?? ""
        for name in ["X-Request-Id", "X-Next-Cursor", "Retry-After", "Allow", "ETag", "Age"] {
            #expect(exposed.split(separator: ", ").contains { $0 == name }, "\(exposed)")
        }
    }

    @Test func `lets pages send what the API reads, any attribute of CloudEvents among it`() throws
    {
        let server = try TestServer { $0.corsOrigins = ["https://a.example"] }
        let preflight = try server.connect().ask(
            "OPTIONS", "/echo",
            [
                "Origin: https://a.example", "Access-Control-Request-Method: POST",
                "Access-Control-Request-Headers: ce-id, CE-Tenant,x-other,ce-a\"b",
                "Access-Control-Request-Headers: ce-type",
            ])
        let allowed = (preflight.header("Access-Control-Allow-Headers") ?? "")
            .split(separator: ", ").map(String.init)
        for name in [
            "Authorization", "Content-Type", "Content-Encoding", "X-Request-Id", "traceparent",
            "If-None-Match", "Last-Event-ID", "ce-id", "ce-tenant", "ce-type",
        ] { #expect(allowed.contains(name)) }
        #expect(!allowed.contains { $0.contains("other") || $0.contains("\"") })
        #expect(preflight.header("Vary") == "Origin, Access-Control-Request-Headers")
    }

    @Test func `lets any origin in where all are configured`() throws {
        let server = try TestServer { $0.corsOrigins = ["*"] }
        let reply = try server.connect().ask(
            "GET", "/big?bytes=2000", ["Origin: https://c.example"])
        #expect(reply.header("Access-Control-Allow-Origin") == "https://c.example")
        #expect(reply.all("Vary").sorted() == ["Accept-Encoding", "Origin"])
    }
}
