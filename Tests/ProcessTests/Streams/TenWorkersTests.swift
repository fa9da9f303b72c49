import Primitives
import Testing
import TestSupport

extension FaultTests {
    /// The test of the report that this project started from.
    @Suite struct TenWorkersTests {
        private static let workers = 10
        private static let eventsEach = 1000

        /// - Parameter size: events of one request.
        @Test(arguments: [1, 100])
        func `10,000 events from 10 concurrent workers are all there`(size: Int) throws {
            let redis = try RedisServer()
            let service = try RunningService.start(redis: redis.url)
            try service.waitUntilStreamsAre("ok")
            let refused = Locked<[String]>([])
            let began = MonotonicTime.now()
            let threads = (0..<TenWorkersTests.workers).map { worker in
                Thread(name: "worker") {
                    do {
                        try TenWorkersTests.post(from: worker, by: size, to: service)
                    } catch {
                        refused.withLock { $0.append("\(error)") }
                    }
                }
            }
            for thread in threads { thread.join() }
            let acknowledged = MonotonicTime.now().since(began)
            let count = TenWorkersTests.workers * TenWorkersTests.eventsEach
            try service.wait(until: "all are stored") {
                try service.status("store", "rows")?.integer ?? 0 >= count
            }
            let stored = MonotonicTime.now().since(began)
            print(
                "10,000 events, 10 workers, \(size) a request: acknowledged after",
                "\(acknowledged), stored after \(stored)")
            #expect(refused.withLock { $0 } == [])
            #expect(try service.storedCount() == count)
            let ids = try service.storedIDs()
            let sent = Set(
                (0..<TenWorkersTests.workers).flatMap { worker in
                    (0..<TenWorkersTests.eventsEach).map { "\(worker)-\($0)" }
                })
            #expect(ids.count == count && Set(ids) == sent)
            // Each went through Redis, and once unless an answer was late.
            try service.waitUntilStreamsAreDrained()
            let failures = try #require(
                try service.status("stream", "forwarder", "failures")?.integer)
            let added = try RedisServer.keys().map { key in
                let lines = try redis.command("XINFO", "STREAM", key)
                let index = try #require(lines.firstIndex(of: "entries-added"))
                return Int(lines[index + 1]) ?? 0
            }
            let entries = added.reduce(0, +)
            // After a failure at most a full pipeline is sent again.
            #expect((count...count + failures * 4096).contains(entries))
            #expect(added.allSatisfy { $0 > 0 })
            let duplicates = try service.status("events", "duplicates")?.integer
            #expect(duplicates == 0)
            #expect(try service.terminate() == .exited(0))
        }

        /// On one connection, each request after the answer to the one before.
        private static func post(
            from worker: Int, by size: Int, to service: RunningService
        ) throws {
            let connection = try service.connect()
            for start in stride(from: 0, to: eventsEach, by: size) {
                let lines = (start..<start + size).map {
                    #"{"id":"\#(worker)-\#($0)","type":"page.view","source":"/report","#
                        + #""subject":"user-\#($0 % 100)","data":{"worker":\#(worker)}}"#
                }
                try connection.send(
                    "POST", "/events", headers: ["Content-Type": "application/x-ndjson"],
                    body: Array(lines.joined(separator: "\n").utf8))
                let reply = try connection.receive()
                guard reply.status == 202 else { throw TestError("\(reply.status) \(reply.text)") }
            }
        }
    }
}
