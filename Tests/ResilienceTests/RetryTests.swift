import Primitives
import Resilience
import Testing

struct RetryTests {
    private let now = MonotonicTime(nanoseconds: 5_000_000_000)

    @Test(arguments: [
        (Backoff.request, [10, 20, 40, 80, 160, 200, 200]),
        (Backoff.background, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]),
    ])
    func `ceilings double up to the cap`(backoff: Backoff, milliseconds: [Int]) {
        for (index, ceiling) in milliseconds.enumerated() {
            #expect(backoff.ceiling(afterFailures: index + 1) == .milliseconds(ceiling))
        }
        #expect(backoff.ceiling(afterFailures: .max) == backoff.cap)
        #expect(backoff.ceiling(afterFailures: 0) == backoff.first)
    }

    @Test func `waits are spread from nothing to the ceiling`() {
        var random = SeededRandom(seed: 7)
        let waits = (0..<2000).map { _ in
            Backoff.request.delay(afterFailures: 3, using: &random).inSeconds
        }
        #expect(waits.allSatisfy { $0 >= 0 && $0 <= 0.040 })
        let mean = waits.reduce(0, +) / Double(waits.count)
        #expect(mean > 0.018 && mean < 0.022)
        #expect(waits.contains { $0 < 0.004 } && waits.contains { $0 > 0.036 })
    }

    @Test func `a budget allows a burst, then a rate`() {
        let budget = RetryBudget(capacity: 3, perSecond: 2, at: now)
        #expect((0..<5).map { _ in budget.take(at: now) } == [true, true, true, false, false])
        #expect(!budget.take(at: now + .milliseconds(400)))
        #expect(budget.take(at: now + .milliseconds(500)))
        #expect(!budget.take(at: now + .milliseconds(600)))
        let later = now + .seconds(3600)
        #expect((0..<4).map { _ in budget.take(at: later) } == [true, true, true, false])
        // A thread that read the clock earlier earns nothing twice.
        #expect(!budget.take(at: now))
    }

    @Test func `gives up after three attempts, without budget and without time`() {
        var random = SeededRandom(seed: 1)
        let policy = RetryPolicy.request
        let budget = RetryBudget(capacity: 2, perSecond: 0, at: now)
        func delay(_ attempts: Int, _ time: Duration) -> Duration? {
            policy.delay(
                afterAttempts: attempts, deadline: Deadline(now + time), budget: budget, at: now,
                using: &random)
        }
        #expect(delay(3, .seconds(1)) == nil)
        #expect(delay(1, .zero) == nil)
        #expect(delay(1, .seconds(1)) != nil)
        #expect(delay(2, .seconds(1)) != nil)
        #expect(delay(1, .seconds(1)) == nil)
    }
}
