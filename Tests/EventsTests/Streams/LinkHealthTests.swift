import Primitives
import Testing

@testable import Streams

@Suite struct LinkHealthTests {
    private let start = MonotonicTime.now()

    @Test func `it counts as failing until it has done anything`() {
        let health = LinkHealth(at: start)
        #expect(health.failing(at: start + .seconds(2)) == .seconds(2))
        health.succeeded()
        #expect(health.failing(at: start + .seconds(3)) == nil)
    }

    @Test func `an error is news once, and gone with the next success`() {
        let health = LinkHealth(at: start)
        let isNews = ["a", "a", "b"].map { health.failed($0) }
        #expect(isNews == [true, false, true])
        #expect(health.failures == 3 && health.error == "b")
        health.succeeded()
        #expect(health.error == nil)
        #expect(health.failed("b"))
    }
}
