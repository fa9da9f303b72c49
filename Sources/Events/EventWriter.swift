import Primitives
import Storage
import Telemetry

/// The thread that carries events from the journal into the store.
///
/// A transaction takes what is waiting, so batches grow under load and add no delay without it. The
/// thread yields to the others (`nice`): a client waits for the journal, not for the store.
package final class EventWriter: Sendable {
    /// The journal keeps what this consumer has not made durable.
    package static let consumer = "store"
    /// Payload in one transaction: some ten thousand small events, tens of milliseconds.
    private static let transactionBytes = 2 << 20
    private static let idleWait = Duration.milliseconds(200)
    private static let nice: Int32 = 10

    private struct State {
        var isStopping = false
        var drainDeadline = Deadline.never
        var failure: String?
    }

    private let journal: Journal
    private let store: EventStore
    private let retention: Duration?
    private let log: Logger
    private let state = Monitor(State())
    private let thread: Locked<Thread?> = Locked(nil)
    /// Events stored, and events that were there already, since start.
    package let stored = Counter()
    package let duplicates = Counter()
    /// Events that the store refused for good; quarantine has them.
    package let refused = Counter()
    /// Records whose payload was no sequence of events.
    package let unreadable = Counter()

    /// - Parameter retention: events older than this are deleted; nil keeps them.
    package init(journal: Journal, store: EventStore, retention: Duration?, log: Logger) {
        self.journal = journal
        self.store = store
        self.retention = retention
        self.log = log
    }

    package func start() {
        let writer = Thread(name: "store", nice: EventWriter.nice) { [self] in run() }
        thread.withLock { $0 = writer }
    }

    /// Stores what the journal still has, until `deadline`, closes the store and ends the thread.
    package func stop(until deadline: Deadline) {
        state.change { state in
            state.isStopping = true
            state.drainDeadline = deadline
        }
        thread.withLock { $0 }?.join()
        thread.withLock { $0 = nil }
    }

    /// Why the store takes nothing at the moment; nil while it does.
    package var failure: String? { state.withLock { $0.failure } }

    // MARK: The thread

    private func run() {
        var delay = RetryDelay()
        var reader = makeReader()
        var cleaner = RetentionSchedule(retention: retention)
        while !shouldEnd {
            do throws(EventWriterError) {
                let isIdle = try writeBatch(from: reader)
                try maintain(isIdle: isIdle, &cleaner)
                succeeded()
                delay = RetryDelay()
                if isIdle { waitForMore() }
            } catch {
                failed(error)
                pause(delay.next())
                // What was read and not stored is read again.
                reader = makeReader()
            }
        }
        store.close(deadline: .after(.seconds(2)))
        journal.release(upTo: store.durablePosition, by: EventWriter.consumer)
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
