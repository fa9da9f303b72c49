internal import Glibc
import Primitives
import Testing
import TestSupport

extension FaultTests {
    /// kill -9, as a power cut of the process: what was acknowledged is there, once.
    @Suite(.long) struct KillTests {
        /// Syncing at intervals is about power: what was written outlives the process.
        @Test(arguments: 1...FaultForm.pick(short: 1, long: 10), ["always", "interval"])
        func `killed at random moments under load, it keeps what it acknowledged, once`(
            series: Int, sync: String
        ) throws {
            var random = SeededGenerator.printingSeed(
                "kill -9 under load, series \(series), journal-sync \(sync)")
            var service = try RunningService.start(["--journal-sync", sync])
            var sent: Set<String> = []
            var acknowledged: Set<String> = []
            var unanswered = 0
            for round in 0..<20 {
                let load = EventLoad(
                    on: service, clients: 6, prefix: "r\(round)", seed: random.next())
                usleep(UInt32.random(in: 0...400_000, using: &random))
                service.kill()
                load.join()
                sent.formUnion(load.sent)
                acknowledged.formUnion(load.acknowledged)
                unanswered += load.unanswered
                #expect(Set(load.statuses.keys).subtracting([202]).isEmpty)
                service = try service.startAgain()
            }
            try service.waitUntilAllIsStored()
            let accounting = Accounting(
                acknowledged: acknowledged, sent: sent, stored: try service.storedIDs())
            print("kill -9 under load: \(accounting); \(unanswered) requests unanswered")
            #expect(accounting.isRight && acknowledged.count > 100, "\(accounting)")
            let counts = try service.row("count,uniq:id")
            #expect(counts == [.integer(accounting.stored), .integer(accounting.stored)])
            #expect(service.errors.isEmpty)
            #expect(try service.terminate() == .exited(0))
        }

        @Test func `killed in the middle of a file, it has all of it once after a second post`()
            throws
        {
            var random = SeededGenerator.printingSeed("kill -9 in a post")
            let log = AccessLog()
            for round in 0..<FaultForm.pick(short: 4, long: 40) {
                let service = try RunningService.start()
                let connection = try service.connect()
                let part = Int.random(in: 0...log.ndjson.count, using: &random)
                // Every other time all of it is there, and the kill meets decoding and journaling.
                let cut = round % 2 == 0 ? part : log.ndjson.count
                try connection.send(
                    "POST /events?ack=stored HTTP/1.1\r\nHost: localhost\r\n"
                        + "Content-Type: application/x-ndjson\r\n"
                        + "Content-Length: \(log.ndjson.count)\r\n\r\n")
                try connection.send(Array(log.ndjson[..<cut]))
                usleep(UInt32.random(in: 0...150_000, using: &random))
                service.kill()
                let successor = try service.startAgain()
                try successor.waitUntilAllIsStored()
                let before = try successor.storedCount()
                let reply = try successor.post(
                    "/events?ack=stored&timeout_ms=60000", log.ndjson,
                    type: "application/x-ndjson")
                #expect(reply.status == 200)
                #expect(
                    try successor.row("count,uniq:id,sum:bytes") == [
                        .integer(log.count), .integer(log.count), .integer(log.byteSum),
                    ])
                print("kill -9 in a post: \(cut) bytes sent, \(before) events found, then all")
            }
        }
    }
}
