import Primitives
internal import Synchronization

/// How often the events of the store have changed since it was opened, as a number that costs next
/// to nothing to read: while it stays, every answer that was right still is. Any thread.
///
/// The writer counts before it commits and again when the commit is over, so the number is odd
/// while readers may see either state.
package final class StoreVersion: Sendable {
    private let changes = Atomic<UInt64>(2)

    /// In nanoseconds of the monotonic clock.
    private let promised = Atomic<UInt64>(0)

    init() {}

    /// When a client was last told that its events are stored. An answer that was seen to be right
    /// before that may lack them.
    package var lastPromise: MonotonicTime {
        MonotonicTime(nanoseconds: promised.load(ordering: .acquiring))
    }

    /// A client is about to be told that its events are stored. Call it before the client is told
    /// and after the commit.
    package func promise() {
        promised.store(MonotonicTime.now().nanoseconds, ordering: .releasing)
    }

    /// Never the same for two states; 0 while a commit is under way, when nobody can know.
    package var current: UInt64 {
        let count = changes.load(ordering: .sequentiallyConsistent)
        return count.isMultiple(of: 2) ? count : 0
    }

    /// A commit may be visible from now on. The writer's thread.
    func beginCommit() { changes.add(1, ordering: .sequentiallyConsistent) }
    /// It is visible, or has failed.
    func endCommit() { changes.add(1, ordering: .sequentiallyConsistent) }
}
