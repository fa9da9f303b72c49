import Primitives
package import Testing

/// Gives the tests of a suite one Redis, started when the first of them asks for it and ended after
/// the last. Each has a database of its own. It is not for tests that kill, stop, fill or flush it,
/// nor for those that ask what the whole server has.
///
///     @Suite(.processes, .suiteRedis) struct StreamTests {
///         @Test func `what is sent arrives`() throws {
///             let redis = try RedisServer.ofSuite()
package struct SuiteRedis: SuiteTrait, TestScoping {
    @TaskLocal fileprivate static var server: Locked<RedisServer?>?

    // For the suite as a whole, not for each of its tests.
    package var isRecursive: Bool { false }

    package func provideScope(
        for test: Test, testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        try await SuiteRedis.$server.withValue(Locked(nil)) { try await function() }
    }
}

extension Trait where Self == SuiteRedis {
    package static var suiteRedis: Self { Self() }
}

extension RedisServer {
    /// A database of the Redis of this suite, which has the trait `.suiteRedis`.
    package static func ofSuite() throws -> RedisServer {
        guard let shared = SuiteRedis.server else {
            throw TestError("this suite has no .suiteRedis")
        }
        return try shared.withLock { server in
            let started = try server ?? RedisServer(["--databases", "1000"])
            server = started
            return RedisServer(databaseOf: started)
        }
    }
}
