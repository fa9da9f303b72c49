import Primitives
import Storage
import TestSupport
import Testing

@testable import Sinks

@Suite(.blocking) struct SinkTests {
    private func options(
        _ receiver: Receiver, batchSize: Int = 10, types: [String] = [],
        timeout: Duration = .seconds(5)
    ) -> SinkOptions {
        var options = SinkOptions(name: "audit", url: receiver.url, filter: SinkFilter(types))
        options.batchSize = batchSize
        options.timeout = timeout
        return options
    }

    @Test func `events arrive in the order of storing, in batches of the size asked for`() throws {
        let receiver = try Receiver()
        let harness = try SinkHarness([options(receiver, batchSize: 7)])
        try harness.store(0..<40)
        try harness.store(40..<60)
        #expect(try harness.wait { receiver.taken.count >= 60 })
        #expect(receiver.taken == names(0..<60))
        #expect(receiver.deliveries.allSatisfy { (1...7).contains($0.ids.count) })
        #expect(try harness.wait { harness.status.delivered == 60 && harness.status.lag == 0 })
        #expect(harness.status.batches == UInt64(receiver.deliveries.count))
        #expect(harness.status.lastError == nil)
    }

    @Test func `a request says what it is and carries the headers that were set`() throws {
        let receiver = try Receiver()
        var wanted = options(receiver)
        wanted.headers = ["Authorization": "Bearer abc", "X-Team": "orders"]
        let harness = try SinkHarness([wanted])
        try harness.store(0..<1)
        #expect(try harness.wait { receiver.taken.count == 1 })
        let head = receiver.deliveries[0].head
        #expect(head.hasPrefix("POST /hook HTTP/1.1"))
        #expect(head.contains("Content-Type: application/cloudevents-batch+json"))
        #expect(head.contains("Authorization: Bearer abc"))
        #expect(head.contains("X-Team: orders"))
        #expect(head.contains("User-Agent: millrace/test"))
    }

    @Test func `what a sink does not want is passed over`() throws {
        let receiver = try Receiver()
        let harness = try SinkHarness([options(receiver, types: ["order.*", "signup"])])
        try harness.store(0..<5, type: "page.view")
        try harness.store(5..<8, type: "order.paid")
        try harness.store(8..<10, type: "orders")
        try harness.store(10..<11, type: "signup")
        try harness.store(11..<12, type: "signup.late")
        #expect(try harness.wait { harness.status.lag == 0 })
        #expect(receiver.taken == names(5..<8) + names(10..<11))
    }

    @Test func `a new sink begins behind what is stored already`() throws {
        let receiver = try Receiver()
        let first = try SinkHarness([])
        try first.store(0..<3)
        let sinks = try Sinks(
            [options(receiver)], store: first.store, userAgent: "t", log: .silent)
        sinks.start()
        defer { sinks.stop(until: .after(.seconds(1))) }
        try first.store(3..<5)
        #expect(try first.wait { receiver.taken.count >= 2 })
        #expect(receiver.taken == names(3..<5))
    }

    @Test func `a receiver that fails for a while gets everything, in order`() throws {
        let receiver = try Receiver { _, number in
            switch number {
            case 0: .status(500)
            case 1: .reset
            case 2: .status(503)
            case 3: .status(408)
            default: .status(204)
            }
        }
        let harness = try SinkHarness([options(receiver)])
        try harness.store(0..<30)
        #expect(try harness.wait { receiver.taken.count >= 30 })
        #expect(receiver.taken == names(0..<30))
        // The client itself repeats a request whose kept connection turns out to be gone.
        #expect((3...4).contains(harness.status.failedAttempts))
        #expect(harness.status.refusals == 0)
        #expect(try harness.deadLetters().isEmpty)
    }

    @Test func `a receiver that hangs costs its timeout, and gets the batch again`() throws {
        let receiver = try Receiver { _, number in number == 0 ? .hang : .status(200) }
        let harness = try SinkHarness([options(receiver, timeout: .seconds(1))])
        try harness.store(0..<3)
        #expect(try harness.wait { receiver.taken.count >= 3 })
        #expect(receiver.taken == names(0..<3))
        #expect(harness.status.failedAttempts == 1)
    }

    @Test func `a receiver that is too slow for a batch gets smaller ones`() throws {
        let receiver = try Receiver { ids, _ in
            if ids.count > 5 { sleep(until: .after(.milliseconds(400))) }
            return .status(200)
        }
        let harness = try SinkHarness([
            options(receiver, batchSize: 20, timeout: .milliseconds(200))
        ])
        try harness.store(0..<40)
        #expect(try harness.wait(until: { harness.status.lag == 0 }, within: .seconds(40)))
        #expect(harness.status.delivered == 40)
        // Without the repetitions the order is that of storing.
        var seen: Set<String> = []
        #expect(receiver.taken.filter { seen.insert($0).inserted } == names(0..<40))
    }

    @Test(arguments: [429, 503])
    func `Retry-After is waited for`(status: Int) throws {
        let receiver = try Receiver { _, number in
            number == 0 ? .status(status, headers: ["Retry-After: 1"]) : .status(200)
        }
        let harness = try SinkHarness([options(receiver)])
        try harness.store(0..<3)
        #expect(try harness.wait { receiver.taken.count >= 3 })
        let deliveries = receiver.deliveries
        #expect(deliveries.count == 2)
        // The seconds that are asked for are whole ones of the wall clock.
        #expect(deliveries[1].at.since(deliveries[0].at) >= .milliseconds(950))
        #expect(harness.status.breaker.mode == .closed)
    }

    @Test func `the breaker opens when nothing works, and closes by itself`() throws {
        let receiver = try Receiver { _, _ in .reset }
        let harness = try SinkHarness([options(receiver)])
        try harness.store(0..<20)
        #expect(try harness.wait { harness.status.breaker.openedCount > 0 })
        let attempts = receiver.requestCount
        receiver.obey { _, _ in .status(200) }
        #expect(try harness.wait { receiver.taken.count >= 20 })
        #expect(attempts >= 5)
        #expect(receiver.taken == names(0..<20))
        try harness.store(20..<21)
        #expect(try harness.wait { harness.status.breaker.mode == .closed })
    }

    @Test func `a breaker that opens says why`() throws {
        let lines = LogLines()
        let receiver = try Receiver { _, _ in .status(502) }
        let harness = try SinkHarness([options(receiver)], log: lines.log)
        try harness.store(0..<1)
        #expect(try harness.wait { harness.status.breaker.openedCount > 0 })
        #expect(
            eventually {
                !lines.all("sink breaker changed", #""to":"open""#, "HTTP status 502").isEmpty
            })
    }

    @Test(arguments: [401, 407])
    func `a key that has run out costs time and no event`(status: Int) throws {
        let receiver = try Receiver { _, _ in .status(status) }
        let harness = try SinkHarness([options(receiver)])
        try harness.store(0..<20)
        #expect(try harness.wait { receiver.requestCount >= 6 })
        #expect(harness.status.lastError == "HTTP status \(status)")
        receiver.obey { _, _ in .status(200) }
        #expect(try harness.wait { receiver.taken.count >= 20 })
        #expect(receiver.taken == names(0..<20))
        #expect(harness.status.refusals == 0)
        #expect(try harness.deadLetters().isEmpty)
    }

    @Test func `what retention has deleted is counted and passed over`() throws {
        let lines = LogLines()
        let receiver = try Receiver { _, _ in .status(500) }
        let harness = try SinkHarness([options(receiver, batchSize: 10)], log: lines.log)
        try harness.store(0..<30)
        #expect(try harness.wait { receiver.requestCount > 0 })
        _ = try harness.store.retain(after: 1_500_000_000_000)
        receiver.obey { _, _ in .status(200) }
        // Nothing new is stored: it must not look for what is not there for ever.
        #expect(try harness.wait { harness.status.lag == 0 })
        let taken = receiver.taken.count
        #expect(harness.status.lost == UInt64(30 - taken))
        #expect(eventually { !lines.all("deleted before they reached a sink").isEmpty })
        try harness.store(30..<32)
        #expect(try harness.wait { receiver.taken.count >= taken + 2 })
        #expect(receiver.taken.suffix(2) == ["e30", "e31"])
        #expect(harness.status.lost == UInt64(30 - taken))
    }

    @Test func `nothing is sent twice after an orderly restart`() throws {
        let receiver = try Receiver()
        let harness = try SinkHarness([options(receiver)])
        try harness.store(0..<15)
        #expect(try harness.wait { harness.status.delivered == 15 })
        try harness.restart()
        try harness.store(15..<20)
        #expect(try harness.wait { receiver.taken.count >= 20 })
        #expect(receiver.taken == names(0..<20))
    }

    @Test func `what was not delivered before a restart is delivered after it`() throws {
        let receiver = try Receiver { _, _ in .status(500) }
        let harness = try SinkHarness([options(receiver)])
        try harness.store(0..<15)
        #expect(try harness.wait { receiver.requestCount > 1 })
        try harness.restart()
        receiver.obey { _, _ in .status(200) }
        #expect(try harness.wait { receiver.taken.count >= 15 })
        #expect(receiver.taken == names(0..<15))
    }

    @Test func `a stop does not wait for a receiver that hangs`() throws {
        let receiver = try Receiver { _, _ in .hang }
        let harness = try SinkHarness([options(receiver, timeout: .seconds(20))])
        try harness.store(0..<1)
        #expect(try harness.wait { receiver.requestCount == 1 })
        let start = MonotonicTime.now()
        harness.sinks.stop(until: .after(.milliseconds(100)))
        #expect(MonotonicTime.now().since(start) < .seconds(5) * slowness)
    }

    @Test func `events too large for one request go in several`() throws {
        let receiver = try Receiver()
        let harness = try SinkHarness([options(receiver, batchSize: 100)])
        let data = "\"" + String(repeating: "d", count: 200_000) + "\""
        try harness.store(0..<12, data: data)
        #expect(try harness.wait { receiver.taken.count >= 12 })
        #expect(receiver.taken == names(0..<12))
        #expect(receiver.deliveries.count >= 2)
    }

    @Test(arguments: [
        ("order.paid", true), ("order.", true), ("order", false), ("signup", true),
        ("signup2", false), ("Order.paid", false), ("", false),
    ])
    func `a filter knows whole types and beginnings`(type: String, isWanted: Bool) {
        #expect(SinkFilter(["order.*", "signup"]).wants(type) == isWanted)
        #expect(SinkFilter().wants(type))
    }

    @Test func `a filter goes by bytes`() {
        let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
        for filter in [SinkFilter([composed]), SinkFilter([composed + "*"])] {
            #expect(filter.wants(composed))
            #expect(!filter.wants(decomposed))
        }
    }
}
