import Masking
import Primitives

/// Where masked records go from every way in: `POST /logs` and `POST /v1/logs`.
///
///     let writer = intake.writer()
///     … writer.append(record) …
///     guard intake.submit(writer.finish()) else { /* 503 with a short Retry-After */ }
///
/// Any thread. Nothing waits here: a batch is queued or refused.
package final class LogIntake: Sendable {
    /// Takes a batch, or says that it has no room; never blocks.
    package typealias Destination = @Sendable (_ batch: LogBatch) -> Bool
    /// Is shown each batch that the destination took. It has its own bound and counts what it
    /// drops; never blocks.
    package typealias Follower = @Sendable (_ batch: LogBatch) -> Void

    package let limits: LogLimits
    package let counters = LogCounters()
    private let masker: Masker
    private let destination: Destination
    private let isDestinationFull: @Sendable () -> Bool
    private let isDestinationAtCap: @Sendable () -> Bool
    private let followers: [Follower]

    /// - Parameters:
    ///   - isFull: the destination has no room at the moment.
    ///   - isAtCap: it has stored all that it may.
    package init(
        masker: Masker, limits: LogLimits, destination: @escaping Destination,
        isFull: @escaping @Sendable () -> Bool = { false },
        isAtCap: @escaping @Sendable () -> Bool = { false }, followers: [Follower] = []
    ) {
        isDestinationFull = isFull
        isDestinationAtCap = isAtCap
        self.masker = masker
        self.limits = limits
        self.destination = destination
        self.followers = followers
    }

    /// A writer for one thread.
    package func writer() -> LogBatchWriter { LogBatchWriter(masker, limits) }

    /// There is no room at the moment; asked before a body is read, since refusing is cheap then.
    package var isFull: Bool { isDestinationFull() }

    /// Nothing is taken until a day is over, or is erased; asked before a body is read.
    package var isAtCap: Bool { isDestinationAtCap() }

    /// Queues a batch; an empty one is a success.
    /// - Returns: false if there is no room: nothing of it was taken, and the sender should come
    ///   back in about a second.
    package func submit(_ batch: LogBatch) -> Bool {
        guard !batch.isEmpty else { return true }
        guard destination(batch) else {
            counters.refused.add(batch.count)
            return false
        }
        counters.accepted.add(batch.count)
        for follower in followers { follower(batch) }
        return true
    }
}
