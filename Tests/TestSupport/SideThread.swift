import Primitives

/// Where tests that mostly wait do so side by side.
///
/// The pool that runs tests has one thread a core, and a test that blocks keeps its thread. So a
/// test that starts servers and waits for what becomes of them hands that to a thread of its own,
/// and asserts on what it brings back: an expectation must be stated on the test's own task.
package enum SideThread {
    /// At once: each has a service, a Redis and clients, and mostly waits.
    private static let limit = 6
    private static let count = Monitor(0)

    /// Runs `body` on a thread of its own, after others if there are too many.
    package static func run<Result: Sendable>(
        _ body: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        let started = Locked<Thread?>(nil)
        let result: Swift.Result<Result, any Error> = await withCheckedContinuation { waiter in
            started.withLock { thread in
                thread = Thread(name: "side") {
                    _ = count.wait(for: { $0 < limit }, then: { $0 += 1 })
                    let result = Swift.Result { try body() }
                    count.change { $0 -= 1 }
                    waiter.resume(returning: result)
                }
            }
        }
        // It has nothing left to do.
        started.withLock { $0 }?.join()
        return try result.get()
    }
}
