internal import Glibc
import Primitives
import Testing
import TestSupport

extension FaultTests {
    /// SIGTERM: what was begun is finished, and nothing is half done.
    @Suite struct TerminationTests {
        @Test(arguments: ["/events", "/events?ack=stored"])
        func `under load every request that was taken is answered`(target: String) throws {
            var random = SeededGenerator.printingSeed("SIGTERM under load")
            var service = try RunningService.start()
            var (sent, acknowledged): (Set<String>, Set<String>) = ([], [])
            for round in 0..<FaultForm.pick(short: 4, long: 40) {
                let load = EventLoad(
                    on: service, clients: 8, prefix: "t\(round)", seed: random.next(),
                    target: target)
                usleep(UInt32.random(in: 50_000...400_000, using: &random))
                #expect(try service.terminate(within: .seconds(30)) == .exited(0))
                load.join()
                sent.formUnion(load.sent)
                acknowledged.formUnion(load.acknowledged)
                #expect(Set(load.statuses.keys).subtracting([200, 202]).isEmpty)
                service = try service.startAgain()
            }
            let stored = try service.storedIDs()
            let accounting = Accounting(acknowledged: acknowledged, sent: sent, stored: stored)
            print("SIGTERM under load, \(target): \(accounting)")
            #expect(accounting.isRight && Set(stored) == acknowledged, "\(accounting)")
        }

        @Test func `a body on its way is waited for, new clients are not taken`() throws {
            let service = try RunningService.start()
            let body = Array(#"{"type":"late","id":"late"}"#.utf8)
            let upload = try service.connect()
            try upload.send(
                "POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    + "Content-Length: \(body.count)\r\n\r\n")
            try upload.send(Array(body[..<10]))
            let probe = try service.connect()
            try probe.send("GET /readyz HTTP/1.1\r\nHost: localhost\r\n")
            let tail = try service.connect()
            try tail.send("GET", "/events/tail")
            _ = try tail.receiveHead()
            service.send(SIGTERM)
            try service.wait(until: "nobody listens") { (try? service.connect()) == nil }
            try probe.send("\r\n")
            let ready = try probe.receive()
            #expect(ready.status == 503 && ready.closesConnection)
            #expect(try ready.json()["status"] == .string("not_ready"))
            #expect(tail.isClosed(within: .seconds(10)))
            #expect(service.process.isRunning)
            try upload.send(Array(body[10...]))
            let reply = try upload.receive()
            #expect(reply.status == 202 && reply.closesConnection)
            #expect(service.process.exit(within: .seconds(30)) == .exited(0))
            #expect(try service.startAgain().storedIDs() == ["late"])
        }

        @Test func `SIGINT ends it as SIGTERM does, and other signals do not end it`() throws {
            let service = try RunningService.start()
            for signal in [SIGUSR1, SIGUSR2, SIGPIPE, SIGHUP] { service.send(signal) }
            #expect(try service.get("/healthz").status == 200)
            service.send(SIGINT)
            #expect(service.process.exit(within: .seconds(30)) == .exited(0))
        }

        @Test func `a client that never ends its body does not hold it beyond the timeout`()
            throws
        {
            let service = try RunningService.start(["--shutdown-timeout", "1s"])
            let upload = try service.connect()
            try upload.send(
                "POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    + "Content-Length: 100\r\n\r\n{")
            try service.wait(until: "the upload has begun") {
                try service.get("/status").json()["http"]?["connections"]?.integer ?? 0 >= 2
            }
            let start = MonotonicTime.now()
            #expect(try service.terminate(within: .seconds(20)) == .exited(0))
            print("SIGTERM with a stuck upload: ended after \(MonotonicTime.now().since(start))")
        }
    }
}
