import Primitives
import TestSupport
import Testing

extension FaultTests {
    /// Who posts waits for the journal and for nobody else.
    @Suite(.alone) struct StreamLatencyTests {
        /// The p99 of POST of two services, of which one's Redis hangs in the second half.
        private struct Measure: Sendable {
            var before = Duration.zero
            var beside = Duration.zero
            var hanging = Duration.zero
            var accounting: Accounting?
            var statuses: Set<Int> = []

            /// What is normal: the same service while its Redis was well, or the other one at the
            /// same time, so that a machine that is busy with something else harms both sides.
            var normal: Duration { max(before, beside) }
            var ratio: Double { hanging.inSeconds / normal.inSeconds }
        }

        @Test func `posting takes no longer while Redis hangs`() throws {
            var measure = try StreamLatencyTests.measure()
            print("p99 of POST: \(measure)")
            if measure.ratio > 2 {
                measure = try StreamLatencyTests.measure()
                print("p99 of POST, measured again: \(measure)")
            }
            #expect(measure.ratio <= 2, "\(measure)")
            #expect(measure.statuses == [202])
            #expect(measure.accounting?.isRight == true, "\(measure)")
        }

        private static func measure() throws -> Measure {
            let redises = [try RedisServer(), try RedisServer()]
            let services = try redises.map { try RunningService.start(redis: $0.url) }
            for service in services { try service.waitUntilStreamsAre("ok") }
            var measure = Measure()
            let healthy = try run(on: services, "h")
            redises[1].pause()
            let hung = try run(on: services, "d")
            try services[1].waitUntilStreamsAre("open", within: .seconds(5))
            redises[1].resume()
            measure.before = healthy[1].p99
            (measure.beside, measure.hanging) = (hung[0].p99, hung[1].p99)
            measure.statuses = Set((healthy + hung).flatMap(\.statuses.keys))
            try services[1].waitUntilStreamsAreDrained()
            measure.accounting = Accounting(
                acknowledged: healthy[1].acknowledged.union(hung[1].acknowledged),
                sent: healthy[1].sent.union(hung[1].sent), stored: try services[1].storedMarks())
            for service in services { _ = try service.terminate() }
            return measure
        }

        /// Loads both services at once until each has answered often enough.
        private static func run(on services: [RunningService], _ prefix: String) throws
            -> [EventLoad]
        {
            let loads = services.map {
                EventLoad(
                    on: $0, clients: 3, prefix: prefix, seed: 11, pause: .milliseconds(2),
                    subjects: 20, batchLimit: 1, marksEvery: 3)
            }
            for (service, load) in zip(services, loads) {
                try service.wait(until: "1500 answers", every: .milliseconds(20)) {
                    load.acknowledgedCount >= 1500
                }
            }
            for load in loads { load.stop() }
            return loads
        }
    }
}
