import Primitives
import Redis
import Testing

@testable import Streams

@Suite struct StreamPauseTests {
    private func longest(_ tries: Int, after code: RedisError.Code?) -> Duration {
        (0..<200).map { _ in
            var pause = StreamPause()
            for _ in 1..<tries { _ = pause.next(after: code) }
            return pause.next(after: code)
        }.max() ?? .zero
    }

    @Test
    func `a breaker is asked often, and gets failures to judge by for longer than its window`() {
        #expect(longest(500, after: .breakerOpen) <= .milliseconds(60))
        #expect(longest(500, after: .outOfMemory) <= .milliseconds(60))
        let last = longest(540, after: .timeout)
        #expect(last > .milliseconds(200) && last <= .seconds(1))
    }

    @Test(arguments: [RedisError.Code.wrongType, .noPermission, nil])
    func `what does not pass by itself is tried at once, and then ever more seldom`(
        code: RedisError.Code?
    ) {
        #expect(longest(1, after: code) <= .milliseconds(10))
        #expect(longest(2, after: code) <= .milliseconds(100))
        let last = longest(30, after: code)
        #expect(last > .seconds(5) && last <= .seconds(10))
    }
}
