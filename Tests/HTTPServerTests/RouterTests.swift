import Primitives
import Testing

@testable import HTTPServer

/// Without a socket.
@Suite struct RouterTests {
    private let router: Router = {
        var router = Router()
        router.on(.get, "/", access: .public, bodyLimit: .none) { _, responder in
            responder.respond(.text(200, "root"))
        }
        router.on(.get, "/events", access: .public, bodyLimit: .none) { _, responder in
            responder.respond(.text(200, "list"))
        }
        router.on(.post, "/events", access: .public, bodyLimit: .none) { _, responder in
            responder.respond(.text(202, "new"))
        }
        router.on(.get, "/events/tail", access: .public, bodyLimit: .none) { _, responder in
            responder.respond(.text(200, "tail"))
        }
        router.on(.get, "/a/{x}/b/{y}", access: .public, bodyLimit: .none) { request, responder in
            responder.respond(.text(200, request.pathParameters.joined(separator: "|")))
        }
        router.on(.get, "/named/{name}", access: .public, bodyLimit: .none) { request, responder in
            responder.respond(.text(200, request.pathParameters[0]))
        }
        router.on(.delete, "/named/{name}", access: .public, bodyLimit: .none) { _, responder in
            responder.respond(Response(204))
        }
        return router
    }()

    private func ask(_ method: HTTPMethod, _ target: String) throws -> (Request, Response) {
        let request = Request(method, target)
        switch router.match(request) {
        case .answer(let response): return (request, response)
        case .endpoint(let endpoint):
            let responder = Responder()
            endpoint.handler(request, responder)
            return (request, try #require(responder.captured()))
        }
    }

    @Test(arguments: [
        ("/", "root"), ("/?a=b", "root"), ("/events", "list"), ("/events?", "list"),
        ("/events?x=/y/z", "list"), ("/events/tail", "tail"), ("/a/1/b/2", "1|2"),
        ("/a/%2F/b/%20", "/| "), ("/named/x+y", "x+y"), ("/named/%C3%A4", "ä"),
        ("/named/{name}", "{name}"), ("http://a/events", "list"), ("HTTPS://a:1/named/x?y", "x"),
        ("/%65vents", "list"), ("/%65vent%73/t%61il", "tail"),
        ("/n%61med/%2525", "%25"), ("/named/%41%2F", "A/"), ("/a/1/%62/2", "1|2"),
        ("http://a", "root"), ("http://a?b=/events", "root"),
    ])
    func `finds the handler of a path`(_ target: String, _ body: String) throws {
        #expect(try ask(.get, target).1.bodyText == body)
    }

    @Test(arguments: [
        "/Events", "/events/", "//events", "/events//tail", "/event", "/eventss", "/events/tail/x",
        "/a/1/b", "/a/1/b/", "/a//b/2", "/a/1/c/2", "/named/", "/named", "/named/x/y", "//",
        "/events%2Ftail", "/%2565vents", "*", "",
    ])
    func `answers 404 where no template matches`(_ target: String) throws {
        let (request, response) = try ask(.get, target)
        #expect(response.status == 404)
        #expect(response.problemCode == "not_found")
        #expect(request.route == nil)
        #expect(request.routeIndex == -1)
    }

    @Test func `names the path without its last slash where that is one`() throws {
        func detail(_ target: String) throws -> String { try ask(.get, target).1.bodyText }
        #expect(try detail("/events/").contains("without its last slash is /events."))
        #expect(try detail("/named/x/").contains("without its last slash is /named/{name}."))
        #expect(try !detail("/nothing/").contains("slash"))
        #expect(try !detail("//").contains("slash"))
    }

    @Test func `answers 405 with what is allowed`() throws {
        let (request, response) = try ask(.put, "/events")
        #expect(response.status == 405)
        #expect(response.header("Allow") == "GET, HEAD, OPTIONS, POST")
        #expect(request.route == "/events")
        #expect(try ask(.post, "/named/x").1.header("Allow") == "DELETE, GET, HEAD, OPTIONS")
        #expect(try ask(.other, "/events/tail").1.status == 405)
    }

    @Test func `answers OPTIONS for a path and for the server`() throws {
        let (_, response) = try ask(.options, "/named/x")
        #expect(response.status == 204)
        #expect(response.header("Allow") == "DELETE, GET, HEAD, OPTIONS")
        for target in ["*", "http://a", "https://a:1"] {
            let (_, whole) = try ask(.options, target)
            #expect(whole.status == 204)
            #expect(whole.header("Allow") == "DELETE, GET, HEAD, OPTIONS, POST")
        }
        #expect(try ask(.options, "http://a/").1.header("Allow") == "GET, HEAD, OPTIONS")
        #expect(try ask(.options, "/nothing").1.status == 404)
    }

    @Test func `gives HEAD to the handler of GET`() throws {
        #expect(try ask(.head, "/events").1.status == 200)
        var router = Router()
        router.on(.post, "/only", access: .public, bodyLimit: .none) { _, responder in
            responder.respond(Response(204))
        }
        guard case .answer(let response) = router.match(Request(.head, "/only")) else {
            Issue.record("an endpoint answers")
            return
        }
        #expect(response.status == 405)
    }

    @Test func `says which template matched`() throws {
        let (request, _) = try ask(.get, "/a/1/b/2")
        #expect(request.route == "/a/{x}/b/{y}")
        #expect(router.templates[request.routeIndex] == "/a/{x}/b/{y}")
        #expect(router.methods["/events"].map(Set.init) == [.get, .post])
    }

    @Test(arguments: HTTPMethod.allCases)
    func `knows methods by their exact name`(_ method: HTTPMethod) {
        func read(_ name: String) -> HTTPMethod {
            Array(name.utf8).withUnsafeBytes { HTTPMethod($0) }
        }
        #expect(read(method.name) == method)
        #expect(read(method.name.lowercased()) == .other)
        #expect(read(method.name + "X") == .other)
        #expect(read("") == .other)
    }
}
