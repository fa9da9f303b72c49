internal import Glibc
import Primitives
import Testing
import TestSupport

extension FaultTests {
    /// More clients than there is room for, slow ones, and ones that leave.
    @Suite struct ManyClientsTests {
        @Test func `without descriptors it turns clients away, idles, and comes back`() throws {
            let service = try RunningService.start(wrapper: ["prlimit", "--nofile=64"])
            var crowd = try (0..<200).map { _ in try service.connect(timeout: .seconds(5)) }
            // Those it had no room for are told so or closed; none hangs.
            for client in crowd { try? client.send("GET", "/healthz") }
            let served = crowd.count { (try? $0.receive().status) == 200 }
            #expect(served > 10 && served < 64, "\(served)")
            let before = service.processorTime
            usleep(1_000_000)
            let busy = service.processorTime - before
            #expect(busy < .milliseconds(500), "it spins: \(busy) of a second")
            crowd.removeAll()
            try service.wait(until: "others are served") {
                (try? service.get("/readyz").status) == 200
            }
            let reply = try service.post("/events?ack=stored", json: #"{"type":"after"}"#)
            #expect(reply.status == 200)
            print("64 descriptors: \(served) of 200 clients served, \(busy) busy in a second")
            #expect(try service.terminate() == .exited(0))
        }

        @Test func `as many clients are served as the hard limit of files allows`() throws {
            // As a login gives it: few, and more for who asks.
            let service = try RunningService.start(wrapper: ["prlimit", "--nofile=256:600"])
            var crowd = try (0..<400).map { _ in try service.connect() }
            for client in crowd { try client.send("GET", "/healthz") }
            #expect(try crowd.allSatisfy { try $0.receive().status == 200 })
            try service.wait(until: "it says for how many there is room") {
                service.records.contains {
                    $0["detail"]?.string?.contains("room for 450 connections") == true
                }
            }
            // More than it has room for are told so, and the intake has what it needs.
            crowd += try (0..<150).map { _ in try service.connect(timeout: .seconds(5)) }
            for client in crowd[400...] { try? client.send("GET", "/healthz") }
            let statuses = crowd[400...].map { try? $0.receive().status }
            #expect(statuses.contains(503))
            try crowd[0].send(
                "POST", "/events?ack=stored", headers: ["Content-Type": "application/json"],
                body: Array(#"{"type":"a"}"#.utf8))
            #expect(try crowd[0].receive().status == 200)
            crowd.removeAll()
            #expect(try service.terminate() == .exited(0))
        }

        @Test(.alone) func `clients that trickle do not slow down others, and are cut off`() throws
        {
            let count = FaultForm.pick(short: 200, long: 2000)
            let service = try RunningService.start(["--header-timeout", "3s"])
            let slow = try (0..<count).map { _ in try service.connect() }
            let other = try service.connect()
            var times: [Duration] = []
            let end = Deadline.after(.seconds(2))
            let line = Array("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ".utf8)
            var position = 0
            while !end.hasPassed {
                for client in slow {
                    try client.send([position < line.count ? line[position] : 0x78])
                }
                position += 1
                for _ in 0..<10 {
                    let start = MonotonicTime.now()
                    try other.send(
                        "POST", "/events", headers: ["Content-Type": "application/json"],
                        body: Array(#"{"type":"quick"}"#.utf8))
                    #expect(try other.receive().status == 202)
                    times.append(MonotonicTime.now().since(start))
                }
            }
            times.sort()
            let late = times[times.count * 99 / 100]
            print("\(count) slow clients: p99 of \(times.count) others \(late)")
            #expect(late < .milliseconds(500) * slowness)
            let deadline = Deadline.after(.seconds(15))
            let isCut = slow.allSatisfy { $0.isClosed(within: deadline.remaining) }
            #expect(isCut)
        }

        @Test func `clients that leave while they wait leave nothing behind`() throws {
            let service = try RunningService.start()
            try service.waitUntilAllIsStored()
            _ = try service.get("/query?metric=count")
            let before = service.openDescriptors
            let blocker = try StoreBlocker(service)
            let rounds = FaultForm.pick(short: 3, long: 20)
            for round in 0..<rounds {
                for index in 0..<100 {
                    let client = try service.connect()
                    if index % 2 == 0 { client.resetOnClose() }
                    try client.send(
                        "POST", "/events?ack=stored&timeout_ms=60000",
                        headers: ["Content-Type": "application/json"],
                        body: Array(#"{"id":"\#(round)-\#(index)","type":"gone"}"#.utf8))
                }
                for _ in 0..<20 {
                    let client = try service.connect()
                    try client.send("GET", "/events/tail")
                    client.resetOnClose()
                }
            }
            // A reset takes with it what was not read yet, so only half of them surely arrive.
            try service.wait(until: "those that did not reset are taken") {
                try service.get("/status").json()["events"]?["accepted"]?.integer ?? 0
                    >= rounds * 50
            }
            blocker.release()
            try service.wait(until: "\(before) descriptors are left", within: .seconds(20)) {
                service.openDescriptors <= before + 2
            }
            try service.waitUntilAllIsStored()
            let status = try service.get("/status").json()
            #expect(status["events"]?["tail_subscribers"] == .integer(0))
            #expect(try status["events"]?["accepted"]?.integer == service.storedCount())
            print(
                "\(rounds * 120) clients left: \(before) descriptors before, "
                    + "\(service.openDescriptors) after")
            #expect(try service.terminate() == .exited(0))
        }
    }
}

extension RunningService {
    /// What the process has used of the processors, user and system.
    var processorTime: Duration {
        let text = FileSystem.text("/proc/\(pid)/stat")
        // The name before `)` may hold spaces; utime and stime are the 12th and 13th behind it.
        let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 12, let user = Int(fields[11]), let system = Int(fields[12]) else {
            return .zero
        }
        return .milliseconds((user + system) * 1000 / sysconf(Int32(_SC_CLK_TCK)))
    }
}
