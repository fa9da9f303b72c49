import HTTPServer
import Primitives
import TestSupport
import Testing

@testable import Service

/// Answers that are computed on a worker, by a deadline.
@Suite(.blocking) struct WorkerRouteTests {
    @Test func `an answer that is ready at its deadline is sent as it is, not compressed`() throws {
        let workers = WorkerPool(name: "test", threads: 1, queueLimit: 10)
        defer { workers.close() }
        let text = String(repeating: "x", count: 4 << 20)
        var router = Router()
        for (path, timeout) in [("/late", Duration.milliseconds(50)), ("/early", .seconds(3600))] {
            let route = WorkerRoute(workers: workers, timeout: timeout)
            router.on(
                .get, path, access: .public, bodyLimit: .none,
                route.handler { (_) throws(Problem) in
                    return { (call) throws(Problem) in
                        if path == "/late" { sleep(until: call.deadline) }
                        return .text(200, text)
                    }
                })
        }
        let server = try HTTPServer(
            options: HTTPServerOptions(), log: .silent, Application(router))
        server.start()
        defer { server.stop(until: .after(.seconds(1))) }
        let wire = try ClientConnection(port: server.port)
        let late = try wire.ask("GET", "/late", ["Accept-Encoding: gzip"])
        #expect(late.status == 200 && late.header("Content-Encoding") == nil)
        #expect(late.header("Vary") == "Accept-Encoding")
        #expect(late.body.count == 4 << 20)
        let early = try wire.ask("GET", "/early", ["Accept-Encoding: gzip"])
        #expect(early.header("Content-Encoding") == "gzip" && early.body.count < 1 << 20)
    }
}
