import Glibc
import Primitives
import Telemetry
import TestSupport
import Testing

@testable import HTTPServer

/// A server on a free port with routes for everything that a reply may be, answered at once, from
/// another thread, late, never, or as a stream. Stopped when it is let go.
final class TestServer: Sendable {
    let server: HTTPServer
    /// Requests to `/held`, in the order they came, for the test to answer.
    let held = Monitor<[Responder]>([])
    /// Streams that `/stream` has begun.
    let streams = Monitor<[EventStream]>([])
    /// Bodies that reached a handler.
    let seen = Monitor<[String]>([])
    private static let huge = Bytes(String(repeating: "x", count: 10_000_000))
    private let workers = WorkerPool(name: "test", threads: 4, queueLimit: 100_000)

    init(
        _ change: (inout HTTPServerOptions) -> Void = { _ in },
        authorize: @escaping Authorizer = { _, _ in .anonymous }
    ) throws {
        var options = HTTPServerOptions()
        options.accessLog = .off
        change(&options)
        var router = Router()
        TestServer.addPlain(to: &router, seen)
        TestServer.addLate(to: &router, workers, held)
        router.on(.get, "/stream", access: .public, bodyLimit: .none) { [streams] _, responder in
            let stream = EventStream()
            streams.change { $0.append(stream) }
            responder.respond(
                Response(200, contentType: "text/event-stream", body: .stream(stream)))
        }
        server = try HTTPServer(
            options: options, log: .silent, Application(router, authorize: authorize))
        server.start()
    }

    deinit {
        server.stop(until: .after(.seconds(1)))
        workers.close()
        // A responder holds its connection, that its loop, and that the handlers, which hold these.
        held.change { $0 = [] }
        streams.change { $0 = [] }
    }

    var port: UInt16 { server.port }

    func connect(timeout: Duration = .seconds(20), receiveBytes: Int32? = nil) throws
        -> ClientConnection
    {
        try ClientConnection(port: port, timeout: timeout, receiveBytes: receiveBytes)
    }

    /// What the thread of loop 0 has computed so far.
    var loopCPUTime: Duration {
        let time = Monitor<Duration?>(nil)
        server.enqueue(on: 0) {
            var spent = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent)
            time.change { $0 = .seconds(spent.tv_sec) + .nanoseconds(spent.tv_nsec) }
        }
        return time.wait(for: { $0 != nil }, then: { $0 ?? .zero }) ?? .zero
    }

    /// The reply to `text`, sent as it is on a connection of its own.
    func reply(to text: String) throws -> ClientReply { try reply(to: Array(text.utf8)) }

    func reply(to bytes: [UInt8]) throws -> ClientReply {
        let wire = try connect()
        try wire.send(bytes)
        return try wire.receive()
    }

    private static func addPlain(to routes: inout Router, _ seen: Monitor<[String]>) {
        routes.on(.get, "/hello", access: .public, bodyLimit: .none) { _, responder in
            responder.respond(.text(200, "hello"))
        }
        routes.on(.get, "/items/{id}", access: .public, bodyLimit: .none) { request, responder in
            responder.respond(.text(200, request.pathParameters[0]))
        }
        routes.on(.get, "/big", access: .public, bodyLimit: .none) { request, responder in
            let count = (try? request.parameters())?.first.flatMap { Int($0.value) } ?? 0
            responder.respond(
                Response(
                    200, contentType: "text/plain",
                    body: .bytes(Bytes(String(repeating: "x", count: count)))))
        }
        routes.on(.get, "/huge", access: .public, bodyLimit: .none) { _, responder in
            responder.respond(Response(200, body: .bytes(TestServer.huge)))
        }
        routes.on(.get, "/fixed", access: .public, bodyLimit: .none) { _, responder in
            responder.respond(Response(200, contentType: "text/plain", body: .fixed("fixed")))
        }
        routes.on(.get, "/empty", access: .public, bodyLimit: .none) { _, responder in
            responder.respond(Response(204))
        }
        routes.on(.get, "/ids", access: .public, bodyLimit: .none) { request, responder in
            var text = ByteBuffer()
            text.append(hex: request.trace.traceID.high, digits: 16)
            text.append(hex: request.trace.traceID.low, digits: 16)
            text.append(" ")
            text.append(hex: request.trace.parentID, digits: 16)
            responder.respond(.text(200, text.text))
        }
        routes.on(.post, "/echo", access: .public, bodyLimit: .standard) { request, responder in
            let body = request.body.text
            seen.change { $0.append(body) }
            responder.respond(.text(200, body))
        }
    }

    private static func addLate(
        to routes: inout Router, _ workers: WorkerPool, _ held: Monitor<[Responder]>
    ) {
        routes.on(.post, "/later", access: .public, bodyLimit: .standard) { request, responder in
            let body = request.body.text
            _ = workers.submit { responder.respond(.text(200, body)) }
        }
        routes.on(.get, "/slow", access: .public, bodyLimit: .none) { request, responder in
            let wait = (try? request.parameters())?.first.flatMap { UInt32($0.value) } ?? 0
            _ = workers.submit {
                usleep(wait * 1000)
                responder.respond(.text(200, "\(wait)"))
            }
        }
        routes.on(.get, "/held", access: .public, bodyLimit: .none) { _, responder in
            held.change { $0.append(responder) }
        }
        routes.on(.post, "/kept", access: .public, bodyLimit: .standard) { _, responder in
            held.change { $0.append(responder) }
        }
    }
}

extension Router {
    /// One handler for a path of any method that tests use.
    static func everything(_ path: String, _ handler: @escaping Handler) -> Router {
        var router = Router()
        router.on(.get, path, access: .public, bodyLimit: .none, handler)
        router.on(.post, path, access: .public, bodyLimit: .standard, handler)
        return router
    }
}

/// Waits until `condition` holds, and expects that it does.
func expectEventually(
    _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () -> Bool
) {
    let holds = eventually(condition)
    #expect(holds, comment, sourceLocation: sourceLocation)
}

extension Monitor {
    /// The value once `ready` holds for it.
    func once(_ ready: (Value) -> Bool) throws -> Value {
        let found = wait(until: .after(.seconds(10)), for: { ready($0) }, then: { $0 })
        return try #require(found, "nothing came within ten seconds")
    }
}
