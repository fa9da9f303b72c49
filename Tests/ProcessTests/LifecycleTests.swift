import Testing
import TestSupport

@Suite(.processes) struct LifecycleTests {
    @Test func `it says that it is well, and stops cleanly when it is asked to`() throws {
        let service = try RunningService.start()
        let reply = try service.get("/healthz")
        #expect(reply.status == 200)
        #expect(try reply.json() == .object(["status": .string("ok")]))
        #expect(try service.terminate() == .exited(0))
        #expect(service.errors.isEmpty)
    }

    @Test func `it starts again on the data of one that was killed`() throws {
        let service = try RunningService.start()
        service.kill()
        let successor = try service.startAgain()
        #expect(successor.pid != service.pid)
        #expect(try successor.get("/readyz").status == 200)
        #expect(try successor.terminate() == .exited(0))
    }

    @Test func `one connection carries request after request`() throws {
        let service = try RunningService.start()
        let connection = try service.connect()
        for _ in 0..<100 {
            try connection.send("GET", "/healthz")
            let reply = try connection.receive()
            #expect(reply.status == 200 && !reply.closesConnection)
        }
        try connection.send("HEAD", "/healthz")
        #expect(try connection.receive(toHead: true).body.isEmpty)
        try connection.send("GET", "/healthz", headers: ["Connection": "close"])
        #expect(try connection.receive().status == 200)
        #expect(connection.isClosed(within: .seconds(10)))
    }
}
