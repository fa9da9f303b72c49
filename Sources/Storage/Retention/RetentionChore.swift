import Primitives
import SQLite

extension StoreChore {
    /// Deletes events that are older than `policy` keeps them: a step at a time while there is
    /// something, else once a minute. Names that no event has any more go after that.
    package static func retention(_ policy: RetentionPolicy) -> StoreChore {
        let schedule = Locked(RetentionSchedule())
        return StoreChore("retention") { (store, moment) throws(StorageError) in
            if schedule.withLock({ $0.isDue(moment.now) }) {
                let step = try store.retain(policy, at: moment.wall)
                schedule.withLock { $0.ran(step, now: moment.now) }
                return
            }
            guard schedule.withLock({ $0.isDueForNames(moment.now) }) else { return }
            let isDone = try store.removeUnusedNames()
            schedule.withLock { $0.lookedForNames(isDone: isDone, now: moment.now) }
        }
    }
}

/// When old events are deleted.
private struct RetentionSchedule {
    private static let interval = Duration.seconds(60)

    /// Between two steps of looking for names: at some 5 ms each, a fortieth of the writer's time.
    private static let namesPause = Duration.milliseconds(200)
    /// Between two looks at all of them, each of which may read every row.
    private static let namesInterval = Duration.seconds(86_400)

    private var next = MonotonicTime(nanoseconds: 0)
    private var nextNames = MonotonicTime(nanoseconds: 0)
    /// Events have gone since all names were looked at, as far as this process knows.
    private var mayHaveUnusedNames = true
    private var isLookingForNames = false

    func isDue(_ now: MonotonicTime) -> Bool { now >= next }

    mutating func ran(_ step: RetentionStep, now: MonotonicTime) {
        if step.deleted > 0 { mayHaveUnusedNames = true }
        if step.isDone { next = now + RetentionSchedule.interval }
    }

    func isDueForNames(_ now: MonotonicTime) -> Bool {
        (isLookingForNames || mayHaveUnusedNames) && now >= nextNames
    }

    mutating func lookedForNames(isDone: Bool, now: MonotonicTime) {
        if !isLookingForNames { mayHaveUnusedNames = false }
        isLookingForNames = !isDone
        nextNames =
            now + (isDone ? RetentionSchedule.namesInterval : RetentionSchedule.namesPause)
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
