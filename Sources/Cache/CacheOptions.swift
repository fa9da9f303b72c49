import Primitives

/// Sizes and times of the cache.
package struct CacheOptions: Sendable {
    package var memoryBytes = 128 << 20
    /// A flight that takes longer is given up, and its waiters begin another one.
    package var flightTimeout = Duration.seconds(10)
    /// What was computed faster is not kept: looking for it costs about as much.
    package var leastCost = Duration.microseconds(20)
    /// For how long a question whose answer is not kept is not made to wait for others.
    package var notKeptTime = Duration.seconds(5)
    /// For how long a deterministic error is repeated without computing.
    package var failureTime = Duration.seconds(2)

    package init() {}
}
