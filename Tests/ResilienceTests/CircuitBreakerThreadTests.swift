import Primitives
import Resilience
import Testing

struct CircuitBreakerThreadTests {
    @Test func `no success is lost or counted twice between threads and buckets`() {
        var options = BreakerOptions()
        options.window = .seconds(1000)
        options.bucketCount = 100_000  // A new bucket every 10 ms, in the middle of the calls.
        let breaker = CircuitBreaker(name: "test", options: options)
        let callsAThread = 50_000
        let threads = (0..<4).map { index in
            Thread(name: "caller") {
                for call in 0..<callsAThread {
                    guard let permit = breaker.admit(at: .now()) else { return }
                    // A few failures take the lock and empty the counter while others count.
                    let isFailure = call % 100 == index
                    breaker.record(permit, isFailure ? .failure : .success, at: permit.startedAt)
                }
            }
        }
        for thread in threads { thread.join() }
        let snapshot = breaker.snapshot(at: .now())
        #expect(snapshot.callCount == 4 * callsAThread)
        #expect(snapshot.failureRate == 0.01)
        #expect(snapshot.mode == .closed)
    }

    @Test func `at most three calls are under way while half-open`() throws {
        var options = BreakerOptions()
        options.successesToClose = 1000
        let start = MonotonicTime.now()
        let breaker = CircuitBreaker(name: "test", options: options, at: start)
        for _ in 0..<5 { breaker.addConnectionFailure(at: start) }
        let later = start + .seconds(2)
        breaker.finishProbe(try #require(breaker.probeDue(at: later)), isHealthy: true, at: later)
        let underWay = Locked((now: 0, most: 0))
        let threads = (0..<4).map { _ in
            Thread(name: "caller") {
                while breaker.snapshot(at: later).mode == .halfOpen {
                    guard let permit = breaker.admit(at: later), permit.generation == 2 else {
                        continue
                    }
                    underWay.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
                    underWay.withLock { $0.now -= 1 }
                    breaker.record(permit, .success, at: later)
                }
            }
        }
        for thread in threads { thread.join() }
        #expect((1...3).contains(underWay.withLock { $0.most }))
        #expect(breaker.snapshot(at: later).mode == .closed)
    }
}
