import Primitives
import TestSupport
import Testing

@testable import HTTPServer

@Suite struct TokenBucketTests {
    /// What a macro can copy.
    private final class Shared: Sendable {
        private let bucket: TokenBucket

        init(rate: Int) { bucket = TokenBucket(rate: rate) }

        func take(at now: MonotonicTime) -> Bool { bucket.take(at: now) }
        func spend(_ count: Int, at now: MonotonicTime) { bucket.spend(count, at: now) }
        func giveBack(_ count: Int) { bucket.giveBack(count) }
        func wait(at now: MonotonicTime) -> Duration { bucket.wait(at: now) }
        func standing(at now: MonotonicTime) -> (left: Int, fullInSeconds: Int) {
            bucket.standing(at: now)
        }
    }

    private func moment(_ milliseconds: Int) -> MonotonicTime {
        MonotonicTime(nanoseconds: 5_000_000_000) + .milliseconds(milliseconds)
    }

    @Test(arguments: [1, 2, 3, 7, 1000, 999_983, 10_000_000])
    func `holds one second's worth and refills at its rate`(rate: Int) {
        let bucket = Shared(rate: rate)
        var taken = 0
        while bucket.take(at: moment(0)) { taken += 1 }
        // The duration of a token is rounded down to nanoseconds.
        #expect((rate...rate + rate / 100).contains(taken), "\(taken)")
        #expect(bucket.standing(at: moment(0)).left == 0)
        #expect(bucket.wait(at: moment(0)) > .zero && bucket.wait(at: moment(0)) <= .seconds(1))
        #expect(!bucket.take(at: moment(0)))
        let next = moment(0) + bucket.wait(at: moment(0))
        #expect(bucket.take(at: next) && !bucket.take(at: next))
        // An hour without use saves nothing up.
        taken = 0
        while bucket.take(at: moment(3_600_000)) { taken += 1 }
        #expect((rate...rate + rate / 100).contains(taken), "\(taken)")
    }

    @Test func `is never over its rate and never refuses what is left`() {
        var random = SeededGenerator.printingSeed("token bucket")
        for _ in 0..<200 {
            // Rates that divide a second, so that the model is exact.
            let rate = [1, 2, 5, 10, 100, 1000, 1_000_000].randomElement(using: &random) ?? 1
            let cost = 1_000_000_000 / rate
            let bucket = Shared(rate: rate)
            // Nanoseconds' worth of tokens.
            var (level, time) = (1_000_000_000, moment(0))
            for _ in 0..<200 {
                let step = Int.random(in: 0...(4 * cost), using: &random)
                time = time + .nanoseconds(Int64(step))
                level = min(level + step, 1_000_000_000)
                let standing = bucket.standing(at: time)
                #expect(standing.left == max(level, 0) / cost)
                #expect(standing.fullInSeconds == (1_999_999_999 - level) / 1_000_000_000)
                let wait = bucket.wait(at: time)
                #expect(wait == .nanoseconds(Int64(max(cost - level, 0))))
                switch Int.random(in: 0..<4, using: &random) {
                case 0:
                    let count = Int.random(in: 0...(2 * min(rate, 1000)), using: &random)
                    bucket.spend(count, at: time)
                    level -= count * cost
                    guard Bool.random(using: &random) else { break }
                    bucket.giveBack(count)
                    level += count * cost
                default:
                    #expect(bucket.take(at: time) == (level >= cost))
                    if level >= cost { level -= cost }
                }
            }
        }
    }

    @Test func `threads together take no more than there is`() {
        let bucket = Shared(rate: 20_000)
        let taken = Locked(0)
        let now = moment(0)
        let threads = (0..<4).map { _ in
            Thread(name: "take") {
                for _ in 0..<10_000 where bucket.take(at: now) { taken.withLock { $0 += 1 } }
            }
        }
        for thread in threads { thread.join() }
        #expect(taken.withLock { $0 } == 20_000)
    }

    @Test func `a quota without a limit is none, and a large batch is a debt`() throws {
        #expect(Quota(Quota.Rates()) == nil)
        let quota = try #require(Quota(Quota.Rates(events: 10)))
        #expect(quota.admit(sendsEvents: true, at: moment(0)) == nil)
        quota.spend(events: 1000, at: moment(0))
        for milliseconds in [0, 50_000, 99_000] {
            let refusal = quota.admit(sendsEvents: true, at: moment(milliseconds))
            #expect(refusal?.kind == .events)
            let rest = (99_100 - milliseconds + 999) / 1000
            #expect(refusal?.problem.retryAfterSeconds == rest)
        }
        #expect(quota.admit(sendsEvents: false, at: moment(0)) == nil)
        #expect(quota.admit(sendsEvents: true, at: moment(99_100)) == nil)
        quota.spend(events: 1000, at: moment(99_100))
        quota.giveBack(events: 1000)
        #expect(quota.admit(sendsEvents: true, at: moment(99_100)) == nil)
    }

    @Test func `says what is left of both within the room that its field has`() throws {
        let quota = try #require(
            Quota(Quota.Rates(requests: TokenBucket.rates.upperBound, events: 10_000_000)))
        #expect(quota.policy == #""requests";q=10000000;w=1, "events";q=10000000;w=1;qu="events""#)
        var text = ByteBuffer()
        quota.append(to: &text, at: moment(0))
        #expect(text.text == #""requests";r=10000000;t=0, "events";r=10000000;t=0"#)
        for _ in 0..<4_000_000 { quota.spend(events: .max, at: moment(0)) }
        text.removeAll()
        RateLimitField.append(quota, to: &text, at: moment(0))
        #expect(text.text.hasPrefix(#""requests";r=10000000;t=0, "events";r=0;t=9999999 "#))
        #expect(text.count == Quota.standingBytes)
    }
}
