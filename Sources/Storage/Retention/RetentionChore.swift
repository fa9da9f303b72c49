import Primitives
import SQLite

extension StoreChore {
    /// Deletes events that are older than `policy` keeps them: a step at a time while there is
    /// something, else once a minute.
    package static func retention(_ policy: RetentionPolicy) -> StoreChore {
        let schedule = Locked(RetentionSchedule())
        return StoreChore("retention") { (store, moment) throws(StorageError) in
            guard schedule.withLock({ $0.isDue(moment.now) }) else { return }
            let step = try store.retain(policy, at: moment.wall)
            schedule.withLock { $0.ran(isDone: step.isDone, now: moment.now) }
        }
    }
}

/// When old events are deleted.
private struct RetentionSchedule {
    private static let interval = Duration.seconds(60)

    private var next = MonotonicTime(nanoseconds: 0)

    func isDue(_ now: MonotonicTime) -> Bool { now >= next }

    mutating func ran(isDone: Bool, now: MonotonicTime) {
        if isDone { next = now + RetentionSchedule.interval }
    }
}

extension EventStore {
    /// One step of what `policy` asks. The writer's thread only, between batches, until `isDone`.
    /// - Parameter wall: now, milliseconds since 1970.
    func retain(
        _ policy: RetentionPolicy, at wall: Int64, limit: Int = 5000
    ) throws(StorageError) -> RetentionStep {
        if policy.rules.isEmpty {
            guard let age = policy.standard else { return RetentionStep() }
            return try retain(after: wall - age.wholeMilliseconds, limit: limit)
        }
        let cutoffs = try look { (connection) throws(SQLiteError) in
            try EventStore.cutoffs(policy, wall, connection)
        }
        return try retain(cutoffs, limit: limit)
    }

    /// For each type that is there, what of it is deleted.
    private static func cutoffs(
        _ policy: RetentionPolicy, _ wall: Int64, _ connection: Connection
    ) throws(SQLiteError) -> [TypeCutoff] {
        let select = try connection.cached("SELECT id, name FROM event_types")
        defer { select.reset() }
        var cutoffs: [TypeCutoff] = []
        while try select.step() {
            guard let age = policy.age(of: select.text(1)) else { continue }
            let time = max(wall - age.wholeMilliseconds, Timestamp.range.lowerBound)
            cutoffs.append(
                TypeCutoff(type: select.integer(0), minute: Generations.minute(of: time)))
        }
        return cutoffs
    }
}

/// Events of a type before a minute are deleted.
struct TypeCutoff: Equatable {
    var type: Int64
    var minute: Int64
}
