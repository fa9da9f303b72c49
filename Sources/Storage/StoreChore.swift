import Primitives

/// When a chore runs.
package struct ChoreMoment: Sendable {
    package let now: MonotonicTime
    /// Milliseconds since 1970.
    package let wall: Int64
    /// Nothing is waiting to be written.
    package let isIdle: Bool
}

/// Something that the writer's thread does between two batches: what waits in an inbox, a checkpoint,
/// a step of retention.
///
///     store.add(StoreChore("rollups") { store, moment throws(StorageError) in … })
///
/// It runs after each batch and about every 200 ms without any, so it looks cheaply whether it is due
/// and takes some tens of milliseconds at most: more is left for the next time.
package struct StoreChore: Sendable {
    package typealias Work = @Sendable (EventStore, ChoreMoment) throws(StorageError) -> Void

    /// For messages.
    let name: String
    /// Asked while the writer has nothing to do: true wakes it at once. Must become false by `run`.
    let isUrgent: @Sendable () -> Bool
    let run: Work

    package init(
        _ name: String, isUrgent: @escaping @Sendable () -> Bool = { false }, run: @escaping Work
    ) {
        self.name = name
        self.isUrgent = isUrgent
        self.run = run
    }
}
