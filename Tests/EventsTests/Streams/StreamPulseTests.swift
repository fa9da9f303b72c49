import Primitives
import Testing

@testable import Events

@Suite struct StreamPulseTests {
    private let start = MonotonicTime.now()

    @Test func `it counts as failing until it has done anything`() {
        let pulse = StreamPulse(at: start)
        #expect(pulse.failing(at: start + .seconds(2)) == .seconds(2))
        pulse.succeeded()
        #expect(pulse.failing(at: start + .seconds(3)) == nil)
    }

    @Test func `an error is news once, and gone with the next success`() {
        let pulse = StreamPulse(at: start)
        let isNews = ["a", "a", "b"].map { pulse.failed($0) }
        #expect(isNews == [true, false, true])
        #expect(pulse.failures == 3 && pulse.error == "b")
        pulse.succeeded()
        #expect(pulse.error == nil)
        #expect(pulse.failed("b"))
    }
}
