import Primitives
import Storage
import Telemetry

/// Carries events from the journal into the store.
///
/// A transaction takes what is waiting, so batches grow under load and add no delay without it.
///
/// DESIGN. A client waits for the journal, not for the store, so storing yields: it runs on a thread
/// of the lowest priority. When cores are short it falls behind, and only so far: once the store is
/// `StorePressure.limit` behind, or the journal half full, a second thread of normal priority takes
/// over until the store has caught up. Two threads that take turns, because Linux lets a thread
/// without privileges give up priority but never take it back.
package final class EventWriter: Sendable {
    /// The journal keeps what this consumer has not made durable.
    package static let consumer = "store"
    /// Payload in one transaction: some ten thousand small events, tens of milliseconds.
    private static let transactionBytes = 2 << 20
    private static let idleWait = Duration.milliseconds(200)
    /// Between two transactions under load: one with a thousand events costs a third of ten with a
    /// hundred, since each writes the same hot pages anew.
    private static let gatherWait = Duration.milliseconds(40)
    /// A transaction of fewer events than this is followed by the next at once.
    private static let gatherEvents = 64

    private enum Turn: Int32 {
        /// Raw values are the threads' nice values.
        case yielding = 19
        case pressing = 0
    }

    private struct State {
        var isStopping = false
        var turn = Turn.yielding
        /// Somebody waits for `/query` to see their events.
        var isUrgent = false
        var hasEnded = false
        var drainDeadline = Deadline.never
        var failure: String?
    }

    private let journal: Journal
    private let store: EventStore
    private let retention: Duration?
    private let log: Logger
    private let state = Monitor(State())
    private let threads: Locked<[Thread]> = Locked([])
    private let pressure: Locked<StorePressure>
    private let lastBatchEvents = Locked(0)
    /// Events stored, and events that were there already, since start.
    package let stored = Counter()
    package let duplicates = Counter()
    /// Events that the store refused for good; quarantine has them.
    package let refused = Counter()
    /// Records whose payload was no sequence of events.
    package let unreadable = Counter()

    /// - Parameters:
    ///   - retention: events older than this are deleted; nil keeps them.
    ///   - journalMaxBytes: the journal's cap.
    package init(
        journal: Journal, store: EventStore, retention: Duration?, journalMaxBytes: Int,
        log: Logger
    ) {
        pressure = Locked(StorePressure(journalMaxBytes: journalMaxBytes))
        self.journal = journal
        self.store = store
        self.retention = retention
        self.log = log
    }

    package func start() {
        let turns = [Turn.yielding, .pressing].map { turn in
            Thread(name: "store", nice: turn.rawValue) { [self] in take(turn) }
        }
        threads.withLock { $0 = turns }
    }

    /// Stores what the journal still has, until `deadline`, closes the store and ends the thread.
    package func stop(until deadline: Deadline) {
        state.change { state in
            state.isStopping = true
            state.drainDeadline = deadline
        }
        for thread in threads.withLock({ $0 }) { thread.join() }
        threads.withLock { $0 = [] }
    }

    /// Why the store takes nothing at the moment; nil while it does.
    package var failure: String? { state.withLock { $0.failure } }

    // MARK: The threads

    /// Works whenever it is this thread's turn.
    private func take(_ turn: Turn) {
        while true {
            let mayWork = state.wait(for: { $0.turn == turn || $0.hasEnded }) { !$0.hasEnded }
            guard mayWork == true else { return }
            run(turn)
        }
    }

    /// Stores until it is the other thread's turn or everything is over.
    private func run(_ turn: Turn) {
        var delay = RetryDelay()
        var reader = makeReader()
        var schedule = RetentionSchedule(retention: retention)
        while !shouldEnd {
            do throws(EventWriterError) {
                let isIdle = try writeBatch(from: reader)
                try maintain(isIdle: isIdle, &schedule)
                succeeded()
                delay = RetryDelay()
                if handsOver(turn) { return }
                if isIdle { waitForMore() } else { gather() }
            } catch {
                failed(error)
                pause(delay.next())
                // What was read and not stored is read again.
                reader = makeReader()
            }
        }
        store.close(deadline: .after(.seconds(2)))
        journal.release(upTo: store.durablePosition, by: EventWriter.consumer)
        state.change { $0.hasEnded = true }
    }

    /// Gives the turn to the thread that fits how far behind the store is.
    private func handsOver(_ turn: Turn) -> Bool {
        let (committed, retained) = journal.backlog
        let isPressing = pressure.withLock {
            $0.update(
                now: .now(), committed: committed, stored: store.position, retainedBytes: retained)
        }
        let next = isPressing ? Turn.pressing : .yielding
        guard next != turn else { return false }
        log.debug("storing changes priority", ["pressing": .bool(isPressing)])
        state.change { $0.turn = next }
        return true
    }

    private func makeReader() -> JournalReader { JournalReader(journal, from: store.position + 1) }

    /// - Returns: true when nothing was waiting.
    private func writeBatch(from reader: JournalReader) throws(EventWriterError) -> Bool {
        let before = reader.nextSequence
        let records: [JournalEntry]
        do { records = try reader.next(maxBytes: EventWriter.transactionBytes) } catch {
            throw .journal(error)
        }
        // Damage that was stepped over moves the position too.
        guard reader.nextSequence > before else { return true }
        do {
            let result = try store.write(position: reader.nextSequence - 1) {
                (inserter) throws(StorageError) in
                for record in records { try insert(record, with: inserter) }
            }
            lastBatchEvents.withLock { $0 = result.inserted + result.duplicates }
            stored.add(result.inserted)
            duplicates.add(result.duplicates)
        } catch {
            throw .store(error)
        }
        return false
    }

    private func insert(
        _ record: JournalEntry, with inserter: EventInserter
    ) throws(StorageError) {
        var payload = EventPayload(record.payload)
        while true {
            let row: EventRow?
            do throws(CorruptPayload) { row = try payload.next() } catch {
                // The checksum was right, so a later version wrote it, or this one has a mistake.
                unreadable.add()
                setAside(record.payload, "unreadable_record", "not a sequence of events", inserter)
                return
            }
            guard let row else { return }
            do throws(StorageError) {
                _ = try inserter.insert(row)
            } catch {
                guard error.code == .rejected else { throw error }
                refused.add()
                setAside(row.data ?? row.type, "refused_by_store", error.message, inserter)
            }
        }
    }

    private func setAside(
        _ raw: UnsafeRawBufferPointer, _ code: String, _ detail: String, _ inserter: EventInserter
    ) {
        log.error("an event cannot be stored", ["code": .string(code), "detail": .string(detail)])
        inserter.quarantine(
            QuarantineEntry(
                received: WallClock.nowMilliseconds(), code: code, detail: detail,
                contentType: "application/octet-stream", raw: Bytes(raw), preview: "null"))
    }

    private func maintain(
        isIdle: Bool, _ schedule: inout RetentionSchedule
    ) throws(EventWriterError) {
        do throws(StorageError) {
            try store.maintain(now: .now(), isIdle: isIdle)
            if let cutoff = schedule.dueCutoff(now: .now(), wall: WallClock.nowMilliseconds()) {
                let step = try store.retain(after: cutoff)
                schedule.ran(isDone: step.isDone, now: .now())
            }
        } catch {
            throw .store(error)
        }
        journal.release(upTo: store.durablePosition, by: EventWriter.consumer)
    }

    private var shouldEnd: Bool {
        let (isStopping, deadline) = state.withLock { ($0.isStopping, $0.drainDeadline) }
        guard isStopping else { return false }
        return deadline.hasPassed || store.position >= journal.committedSequence
    }

    /// Lets a batch form, if the last one was large and took all there was.
    private func gather() {
        guard lastBatchEvents.withLock({ $0 }) >= EventWriter.gatherEvents,
            store.position >= journal.committedSequence
        else { return }
        _ = state.wait(
            until: .after(EventWriter.gatherWait), for: { $0.isUrgent || $0.isStopping },
            then: { _ in })
        state.withLock { $0.isUrgent = false }
    }

    /// Has what is journaled stored without delay. Any thread.
    package func hurry() { state.change { $0.isUrgent = true } }

    private func waitForMore() {
        guard !state.withLock({ $0.isStopping }), !journal.isClosed else { return }
        _ = journal.waitForCommitted(after: store.position, until: .after(EventWriter.idleWait))
    }

    /// Waits before the next try, though not when the service stops.
    private func pause(_ delay: Duration) {
        _ = state.wait(until: .after(delay), for: { $0.isStopping }, then: { _ in })
    }

    private func succeeded() {
        let hadFailed = state.withLock { state in
            defer { state.failure = nil }
            return state.failure != nil
        }
        if hadFailed { log.notice("the store takes events again") }
    }

    private func failed(_ error: EventWriterError) {
        let text = error.description
        let isNews = state.withLock { state in
            defer { state.failure = text }
            return state.failure != text
        }
        if isNews { log.error("the store takes no events", ["error": .string(text)]) }
    }
}

/// What keeps the writer from storing.
enum EventWriterError: Error, CustomStringConvertible {
    case journal(JournalError)
    case store(StorageError)

    var description: String {
        switch self {
        case .journal(let error): error.description
        case .store(let error): error.description
        }
    }
}
