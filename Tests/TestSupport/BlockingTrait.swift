import Primitives
package import Testing

/// Gives a test, or each test of a suite, a thread of its own to block, and bounds how many run at
/// once.
///
///     @Suite(.blocking) struct DrainTests {
///         @Test(.alone) func `p99 holds`() throws {
///
/// Tests that only compute need none of them.
package struct BlockingTrait: SuiteTrait, TestTrait, TestScoping {
    fileprivate let kind: TestGate.Kind
    fileprivate var isLong = false

    package var isRecursive: Bool { true }

    /// A test waits for sockets, files, threads: most of its time it needs no core.
    private static let blockingLimit = 16
    /// Each has a service, perhaps a Redis, and clients: some 100 MB, and a third of a core.
    private static let processLimit = 3 * Processors.available
    private static let times = TestTimes()
    private static let gate = TestGate(
        blocking: blockingLimit, processes: processLimit, whenEmpty: times.report)
    private static let executor = BlockingExecutor(threads: blockingLimit + processLimit)

    package func provideScope(
        for test: Test, testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        // What a test says of itself counts more than what its suite says, and comes after it.
        let last = test.traits.compactMap { $0 as? BlockingTrait }.last
        guard last?.kind == kind, last?.isLong == isLong, !BlockingTrait.isInside else {
            return try await function()
        }
        // All from here on, and also the way out, needs no thread of the common pool, which tests
        // that compute may keep for long.
        try await withTaskExecutorPreference(BlockingTrait.executor) {
            try await BlockingTrait.gate.run(kind, isFirst: isLong) {
                let start = MonotonicTime.now()
                defer { BlockingTrait.times.add(test, MonotonicTime.now().since(start)) }
                try await BlockingTrait.$isInside.withValue(true) { try await function() }
            }
        }
    }

    /// Two traits of one kind, one of the suite and one of the test, enter once.
    @TaskLocal private static var isInside = false
}

extension Trait where Self == BlockingTrait {
    /// The test mostly waits.
    package static var blocking: Self { Self(kind: .blocking) }
    /// The test starts services or Redis servers.
    package static var processes: Self { Self(kind: .processes) }
    /// So it does, and takes longer than most: it begins before others, or a run would end with
    /// waiting for it alone.
    package static var long: Self { Self(kind: .processes, isLong: true) }
    /// The test measures time, or loads the machine so that others would fail: nobody runs beside
    /// it.
    package static var alone: Self { Self(kind: .alone) }
}
