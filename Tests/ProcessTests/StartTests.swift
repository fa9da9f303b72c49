internal import Glibc
import Primitives
import TestSupport
import Testing

/// What a service answers before it is there, and after it was asked to go.
@Suite(.processes) struct StartTests {
    @Test func `it says that it is not ready while it catches up, and then is`() throws {
        let service = try RunningService.start()
        #expect(try service.post("/events?ack=stored", json: #"{"type":"first"}"#).status == 200)
        let blocker = try StoreBlocker(service)
        for _ in 0..<20 {
            #expect(try service.post("/events", json: #"{"type":"later"}"#).status == 202)
        }
        service.kill()
        let port = try Loopback.freePort()
        let successor = try ChildProcess(
            [
                try MillraceBinary.path(), "serve", "--port", "\(port)", "--data-dir",
                service.dataDirectory,
            ],
            output: service.directory.file("next"), errors: service.directory.file("next-errors"))
        func ask(_ path: String) throws -> ClientReply {
            try ClientConnection(port: port).ask("GET", path)
        }
        let isThere = eventually(within: .seconds(30)) { (try? ask("/healthz").status) == 200 }
        #expect(isThere)
        for _ in 0..<50 {
            let ready = try ask("/readyz")
            #expect(ready.status == 503 && ready.header("Retry-After") == "1")
            #expect(try ready.json()["status"]?.string == "not_ready")
            let query = try ask("/query?metric=count")
            #expect([200, 503].contains(query.status))
            if query.status == 503 { #expect(query.header("Retry-After") != nil) }
        }
        blocker.release()
        let isReady = eventually(within: .seconds(60)) { (try? ask("/readyz").status) == 200 }
        #expect(isReady, "\(FileSystem.text(service.directory.file("next")))")
        #expect(try ask("/query?metric=count&max_stale=0").text.contains("[[21]]"))
        successor.send(SIGTERM)
        #expect(successor.exit(within: .seconds(30)) == .exited(0))
    }

    @Test func `it serves on for the drain delay, and says that it is not ready`() throws {
        let service = try RunningService.start(["--drain-delay", "60s"])
        service.send(SIGTERM)
        try service.wait(until: "/readyz says so") { try service.get("/readyz").status == 503 }
        #expect(try service.get("/readyz").json()["status"]?.string == "not_ready")
        #expect(try service.post("/events", json: #"{"type":"late"}"#).status == 202)
        #expect(try service.get("/healthz").status == 200)
        // A second signal ends the wait.
        #expect(try service.terminate() == .exited(0))
    }
}
