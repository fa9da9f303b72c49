import Primitives
import Resilience
import Testing

/// A breaker with a clock that the test turns.
private final class Bench {
    var now = MonotonicTime(nanoseconds: 1_000_000_000_000)
    let breaker: CircuitBreaker
    let changes: Locked<[BreakerChange]>

    init(_ options: BreakerOptions = BreakerOptions()) {
        let changes = Locked<[BreakerChange]>([])
        self.changes = changes
        breaker = CircuitBreaker(name: "cache", options: options, seed: 1, at: now) { change in
            changes.withLock { $0.append(change) }
        }
    }

    var mode: BreakerMode { breaker.snapshot(at: now).mode }
    var reason: BreakerReason { breaker.snapshot(at: now).reason }

    /// - Returns: whether the call was admitted.
    @discardableResult
    func call(
        _ outcome: BreakerOutcome = .success, taking time: Duration = .milliseconds(1),
        waitAllowance: Duration = .zero
    ) -> Bool {
        guard let permit = breaker.admit(at: now, waitAllowance: waitAllowance) else {
            return false
        }
        now = now + time
        breaker.record(permit, outcome, at: now)
        return true
    }

    func open() {
        for _ in 0..<5 { call(.connectionFailure) }
    }

    /// Waits for the probe's time and lets it find what it finds.
    func probe(isHealthy: Bool) throws {
        now = now + breaker.snapshot(at: now).retryAfter
        let generation = try #require(breaker.probeDue(at: now))
        breaker.finishProbe(generation, isHealthy: isHealthy, at: now)
    }

    func halfOpen() throws {
        open()
        try probe(isHealthy: true)
    }
}

struct CircuitBreakerTests {
    @Test(arguments: [
        (successes: 10, failures: 9, opens: false),
        (successes: 10, failures: 10, opens: true),
        (successes: 11, failures: 10, opens: false),
        (successes: 0, failures: 19, opens: false),
        (successes: 0, failures: 20, opens: true),
        (successes: 1000, failures: 999, opens: false),
        (successes: 1000, failures: 1000, opens: true),
    ])
    func `opens at half of 20 or more calls`(successes: Int, failures: Int, opens: Bool) {
        let bench = Bench()
        for _ in 0..<successes { bench.call(taking: .zero) }
        for _ in 0..<failures { bench.call(.failure, taking: .zero) }
        #expect(bench.mode == (opens ? .open : .closed))
        #expect(bench.reason == (opens ? .failureRate : .started))
    }

    @Test(arguments: [
        (fast: 4, slow: 16, opens: true), (fast: 5, slow: 16, opens: false),
        (fast: 0, slow: 19, opens: false), (fast: 0, slow: 20, opens: true),
    ])
    func `opens when four fifths of 20 or more calls are slow`(
        fast: Int, slow: Int, opens: Bool
    ) {
        let bench = Bench()
        for _ in 0..<fast { bench.call(taking: .milliseconds(100)) }
        for _ in 0..<slow { bench.call(taking: .milliseconds(101)) }
        #expect(bench.mode == (opens ? .open : .closed))
        #expect(bench.reason == (opens ? .slowRate : .started))
    }

    @Test func `opens after five connection failures in a row`() {
        let bench = Bench()
        for _ in 0..<4 { bench.call(.connectionFailure, taking: .seconds(4)) }
        bench.call()
        for _ in 0..<4 { bench.call(.connectionFailure, taking: .seconds(4)) }
        #expect(bench.mode == .closed)
        bench.call(.connectionFailure)
        #expect(bench.mode == .open)
        #expect(bench.reason == .connectionFailures)
        #expect(!bench.call())
    }

    @Test func `an answer of any kind ends a row of connection failures`() {
        let bench = Bench()
        for _ in 0..<4 { bench.call(.connectionFailure) }
        bench.call(.failure)
        bench.call(.connectionFailure)
        #expect(bench.mode == .closed)
    }

    @Test func `checks beside the calls count towards the row`() {
        let bench = Bench()
        for _ in 0..<2 { bench.call(.connectionFailure) }
        for _ in 0..<3 { bench.breaker.addConnectionFailure(at: bench.now) }
        #expect(bench.mode == .open)
        #expect(bench.breaker.snapshot(at: bench.now).callCount == 2)
    }

    @Test func `forgets calls older than ten seconds`() {
        let bench = Bench()
        for _ in 0..<19 { bench.call(.failure, taking: .zero) }
        bench.now = bench.now + .seconds(10)
        bench.call(.failure)
        #expect(bench.mode == .closed)
        #expect(bench.breaker.snapshot(at: bench.now).callCount == 1)
    }

    @Test func `a blocking read is slow only beyond the time it may wait`() {
        let bench = Bench()
        for _ in 0..<50 {
            bench.call(taking: .milliseconds(290), waitAllowance: .milliseconds(200))
        }
        #expect(bench.mode == .closed)
        for _ in 0..<50 {
            bench.call(taking: .milliseconds(310), waitAllowance: .milliseconds(200))
        }
        #expect(bench.mode == .open)
    }

    @Test func `only the probe ends an open time, however long nobody asks`() throws {
        let bench = Bench()
        bench.open()
        #expect(bench.breaker.probeDue(at: bench.now) == nil)
        bench.now = bench.now + .seconds(3600)
        #expect(!bench.call())
        try bench.probe(isHealthy: true)
        #expect(bench.mode == .halfOpen)
        #expect(bench.call())
    }

    @Test func `open times double from one to thirty seconds, give or take a quarter`() throws {
        for seed in 0..<20 as Range<UInt64> {
            var state = BreakerState(
                BreakerOptions(), seed: seed, at: MonotonicTime(nanoseconds: 0))
            for _ in 0..<5 { state.addConnectionFailure(at: MonotonicTime(nanoseconds: 0)) }
            for nominal in [1.0, 2, 4, 8, 16, 30, 30, 30] {
                let wait = state.retryAfter(at: state.changedAt).inSeconds
                #expect(wait >= nominal * 0.75 && wait <= nominal * 1.25)
                // A trial that fails doubles as a failed probe does.
                let generation = try #require(state.probeDue(at: state.probeAt))
                state.finishProbe(generation, isHealthy: true, at: state.probeAt)
                let trial = state.admit(at: state.changedAt)
                let permit = try #require(trial)
                state.record(permit, .failure, at: state.changedAt)
            }
        }
    }

    @Test func `a failed probe doubles the open time without counting as opening`() throws {
        var options = BreakerOptions()
        options.jitter = 0
        let bench = Bench(options)
        bench.open()
        for seconds in [2, 4, 8, 16, 30, 30] {
            try bench.probe(isHealthy: false)
            #expect(bench.breaker.snapshot(at: bench.now).retryAfter == .seconds(seconds))
        }
        #expect(bench.breaker.snapshot(at: bench.now).openedCount == 1)
    }

    @Test func `half-open lets three calls through at once and closes after five successes`() throws
    {
        let bench = Bench()
        try bench.halfOpen()
        let permits = (0..<3).compactMap { _ in bench.breaker.admit(at: bench.now) }
        #expect(permits.count == 3)
        #expect(bench.breaker.admit(at: bench.now) == nil)
        for permit in permits { bench.breaker.record(permit, .success, at: bench.now) }
        bench.call()
        #expect(bench.mode == .halfOpen)
        bench.call()
        #expect(bench.mode == .closed)
        #expect(bench.reason == .trialsSucceeded)
        #expect(bench.breaker.snapshot(at: bench.now).callCount == 0)
    }

    @Test(arguments: [
        (BreakerOutcome.failure, Duration.zero, BreakerReason.trialFailed),
        (.connectionFailure, .zero, .trialFailed), (.success, .milliseconds(101), .trialSlow),
        (.success, .seconds(10), .leaseExpired),
    ])
    func `half-open opens again at the first trial that fails`(
        outcome: BreakerOutcome, time: Duration, reason: BreakerReason
    ) throws {
        let bench = Bench()
        try bench.halfOpen()
        for _ in 0..<4 { bench.call() }
        bench.call(outcome, taking: time)
        #expect(bench.mode == .open)
        #expect(bench.reason == reason)
    }

    @Test func `a forgotten permit reopens without any call`() throws {
        let bench = Bench()
        try bench.halfOpen()
        _ = bench.breaker.admit(at: bench.now)
        bench.now = bench.now + .seconds(10)
        #expect(bench.mode == .open)
    }

    @Test func `a cancelled call gives its permit back once`() throws {
        let bench = Bench()
        try bench.halfOpen()
        let permits = (0..<3).compactMap { _ in bench.breaker.admit(at: bench.now) }
        bench.breaker.giveBack(permits[0])
        bench.breaker.giveBack(permits[0])
        #expect(bench.breaker.admit(at: bench.now) != nil)
        #expect(bench.breaker.admit(at: bench.now) == nil)
        bench.breaker.record(permits[0], .failure, at: bench.now)
        #expect(bench.mode == .halfOpen)
    }

    @Test func `results of an older generation change nothing`() throws {
        let bench = Bench()
        let old = try #require(bench.breaker.admit(at: bench.now))
        try bench.halfOpen()
        let trial = try #require(bench.breaker.admit(at: bench.now))
        bench.breaker.record(old, .failure, at: bench.now)
        #expect(bench.mode == .halfOpen)
        for _ in 0..<5 { bench.call() }
        bench.breaker.record(trial, .connectionFailure, at: bench.now)
        bench.breaker.record(old, .success, at: bench.now)
        #expect(bench.mode == .closed)
        #expect(bench.breaker.snapshot(at: bench.now).callCount == 0)
    }

    @Test func `a probe of an earlier opening changes nothing`() throws {
        let bench = Bench()
        bench.open()
        bench.now = bench.now + .seconds(2)
        let stale = try #require(bench.breaker.probeDue(at: bench.now))
        try bench.probe(isHealthy: true)
        bench.call(.failure)
        bench.breaker.finishProbe(stale, isHealthy: true, at: bench.now)
        #expect(bench.mode == .open)
    }

    @Test func `says when it is half-open and nobody tries`() throws {
        let bench = Bench()
        #expect(!bench.breaker.isIdle(for: .zero, at: bench.now))
        try bench.halfOpen()
        #expect(!bench.breaker.isIdle(for: .milliseconds(500), at: bench.now))
        bench.now = bench.now + .milliseconds(500)
        #expect(bench.breaker.isIdle(for: .milliseconds(500), at: bench.now))
        let permit = try #require(bench.breaker.admit(at: bench.now))
        bench.now = bench.now + .seconds(1)
        #expect(!bench.breaker.isIdle(for: .milliseconds(500), at: bench.now))
        bench.breaker.giveBack(permit)
        #expect(bench.breaker.isIdle(for: .milliseconds(500), at: bench.now))
    }

    @Test func `an operator's word holds until it is taken back`() throws {
        let bench = Bench()
        bench.breaker.apply(.forcedOpen, at: bench.now)
        bench.now = bench.now + .seconds(3600)
        #expect(!bench.call())
        #expect(bench.breaker.probeDue(at: bench.now) == nil)
        bench.breaker.apply(.disabled, at: bench.now)
        for _ in 0..<100 { #expect(bench.call(.connectionFailure)) }
        #expect(bench.mode == .disabled)
        bench.breaker.apply(.automatic, at: bench.now)
        #expect(bench.mode == .closed)
        #expect(bench.reason == .operator)
        #expect(bench.breaker.snapshot(at: bench.now).callCount == 0)
    }

    @Test func `tells its observer of each change`() throws {
        let bench = Bench()
        try bench.halfOpen()
        for _ in 0..<5 { bench.call() }
        let changes = bench.changes.withLock { $0 }
        #expect(changes.map(\.to) == [.open, .halfOpen, .closed])
        #expect(changes.map(\.from) == [.closed, .open, .halfOpen])
        #expect(
            changes.map(\.reason) == [.connectionFailures, .probeSucceeded, .trialsSucceeded])
        #expect(changes.map(\.generation) == [1, 2, 3])
        #expect(changes.allSatisfy { $0.name == "cache" })
        #expect(changes.first?.failureRate == 1)
        #expect(changes.first.map { $0.retryAfter > .zero } == true)
    }
}
