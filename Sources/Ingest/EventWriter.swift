import EventCoding
import Journal
import Primitives
import Storage
import Streams
import Synchronization
import Telemetry

/// Carries events into the store: this node's from its journal, with Redis other nodes' from the
/// streams.
///
/// A transaction takes what is waiting, so batches grow under load and add no delay without it. A
/// batch of the journal and one of the streams take turns.
///
/// DESIGN. A client waits for the journal, not for the store, so storing yields: it runs on a thread
/// of the lowest priority. When cores are short it falls behind, and only so far: once the store is
/// `StorePressure.limit` behind, or the journal half full, or while somebody waits to see their
/// events, a second thread of normal priority takes over until the store has caught up; it also does
/// the chores that take long. Two threads that take turns, because Linux lets a thread without
/// privileges give up priority but never take it back.
package final class EventWriter: Sendable {
    /// The journal keeps what this consumer has not made durable.
    package static let consumer = "store"
    /// Payload in one transaction: some ten thousand small events, tens of milliseconds.
    private static let transactionBytes = 2 << 20
    /// While cores are short the turn must not be held for long: somebody may come to wait for it.
    private static let starvedBytes = 256 << 10
    static let idleWait = Duration.milliseconds(200)

    /// When cores are short the yielding thread works one part of its time and rests nineteen.
    private static let restShare = 19
    private static let longestRest = Duration.seconds(1)
    /// For how long storing presses on after somebody asked for it: requests that wait come in rows.
    private static let hurryTime = Duration.milliseconds(500)

    enum Turn {
        case yielding
        case pressing

        var priority: ThreadPriority { self == .yielding ? .background : .normal }
    }

    private struct State {
        var isStopping = false
        var turn = Turn.yielding
        /// The last round found nothing to store.
        var isIdle = false
        /// Somebody waits for `/query` to see their events.
        var isUrgent = false
        var urgentUntil = Deadline(MonotonicTime(nanoseconds: 0))
        /// Up to here somebody waits.
        var urgentPosition: UInt64 = 0
        var hasEnded = false
        var drainDeadline = Deadline.never
        var failure: String?
    }

    /// The journal reader of the thread that has the turn. The next thread takes it over.
    private final class ReaderOfTurn: @unchecked Sendable {  // `State.turn` says whose it is.
        var reader: JournalReader?
    }

    let journal: Journal
    let store: EventStore
    let log: Logger
    /// Nil without Redis.
    let streams: EventStreams?
    private let state = Monitor(State())
    private let threads: Locked<[Thread]> = Locked([])
    private let pressure: Locked<StorePressure>
    private let readerOfTurn = ReaderOfTurn()
    private let lastBatch = Locked(StoreBatch())
    private let window = Locked(GatherWindow())
    private let suspicion = Locked(Suspicion())
    /// Nothing is expected of the journal until it can be read again.
    private let isJournalUnreadable = Atomic(false)
    /// Events stored, and events that were there already, since start.
    package var stored: Counter { store.inserted }
    package var duplicates: Counter { store.duplicates }
    /// Events that the store refused for good; quarantine has them.
    package let refused = Counter()
    /// Records whose payload was no sequence of events.
    package let unreadable = Counter()

    /// - Parameters:
    ///   - retention: which events are deleted for their age; nil keeps all.
    ///   - journalMaxBytes: the journal's cap.
    ///   - streams: where other nodes' events come from.
    package init(
        journal: Journal, store: EventStore, retention: RetentionPolicy?, journalMaxBytes: Int,
        streams: EventStreams? = nil, log: Logger
    ) {
        self.streams = streams
        pressure = Locked(StorePressure(journalMaxBytes: journalMaxBytes))
        self.journal = journal
        self.store = store
        self.log = log
        if let retention, !retention.keepsAll { store.add(.retention(retention)) }
        store.add(EventWriter.release(journal))
    }

    package func start() {
        let turns = [Turn.yielding, .pressing].map { turn in
            Thread(name: "store", priority: turn.priority) { [self] in take(turn) }
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
        while true {
            if handsOver(turn) { return }
            if shouldEnd { break }
            do throws(EventWriterError) {
                // Otherwise the chores read what is missing first, step by step.
                let isIdle = store.isReadyToWrite ? try writeNext() : false
                // The other thread does it, next.
                if leavesChore(turn, isIdle: isIdle) { continue }
                try maintain(isIdle: isIdle)
                succeeded()
                delay = RetryDelay()
                if isIdle {
                    waitForMore()
                } else if readerOfTurn.reader != nil {
                    gather()
                    if turn == .yielding { giveWay() }
                }
            } catch {
                failed(error)
                // Records that were read and not stored are read again.
                readerOfTurn.reader = nil
                wait(delay.next(), after: error, turn)
            }
        }
        store.close(deadline: .after(.seconds(2)))
        journal.release(upTo: store.durablePosition, by: EventWriter.consumer)
        state.change { $0.hasEnded = true }
    }

    /// Gives the turn to the thread that fits how far behind the store is and who waits for it.
    private func handsOver(_ turn: Turn) -> Bool {
        let (committed, retained) = journal.backlog
        let isPressing = pressure.withLock {
            $0.update(
                now: .now(), committed: committed, stored: store.position, retainedBytes: retained)
        }
        let isLate = streams?.pressesStore(stored: store.position) ?? false
        let (isUrgent, isIdle) = state.withLock { state in
            let isAwaited = !state.urgentUntil.hasPassed || store.position < state.urgentPosition
            return (isAwaited || state.isStopping, state.isIdle)
        }
        let isPressed = isPressing || isLate || isUrgent
        let next: Turn = isPressed || hasLongChore(isIdle: isIdle) ? .pressing : .yielding
        guard next != turn else { return false }
        state.change { $0.turn = next }
        return true
    }

    private func hasLongChore(isIdle: Bool) -> Bool {
        store.hasLongChore(now: .now(), isIdle: isIdle)
    }

    /// Whether a chore is due that this thread leaves to the other one: `handsOver` comes next.
    func leavesChore(_ turn: Turn, isIdle: Bool) -> Bool {
        state.withLock { $0.isIdle = isIdle }
        return turn == .yielding && hasLongChore(isIdle: isIdle)
    }

    func makeReader() -> JournalReader { JournalReader(journal, from: store.position + 1) }

    var isStopping: Bool { state.withLock { $0.isStopping } }

    /// Stores what is waiting.
    /// - Returns: true when nothing was waiting.
    private func writeNext() throws(EventWriterError) -> Bool {
        let current = readerOfTurn.reader ?? makeReader()
        readerOfTurn.reader = current
        let isIdle = try writeBatch(from: current)
        // What is not stored stays pending in Redis.
        guard let streams, !isStopping else { return isIdle }
        let hasNoneStreamed = try writeStreamed(streams)
        return isIdle && hasNoneStreamed
    }

    /// - Returns: true when nothing was waiting.
    private func writeBatch(from reader: JournalReader) throws(EventWriterError) -> Bool {
        let before = reader.nextSequence
        let lostBefore = reader.lostRecords
        let records: [JournalEntry]
        let isStarved = lastBatch.withLock { $0.isStarved } || journal.isShortOfCores
        do {
            records = try reader.next(
                maxBytes: isStarved ? EventWriter.starvedBytes : EventWriter.transactionBytes)
        } catch {
            throw .journal(error)
        }
        if isJournalUnreadable.exchange(false, ordering: .relaxed) {
            journal.renewIdentity(above: store.position)
        }
        // Damage that was stepped over moves the position too.
        guard reader.nextSequence > before else {
            lastBatch.withLock { $0 = StoreBatch() }
            return true
        }
        // Before the position passes what is gone: the streams may have it.
        if reader.lostRecords > lostBefore {
            journal.renewIdentity(above: reader.nextSequence - 1)
        }
        let position = reader.nextSequence - 1
        do {
            var batch = StoreBatch()
            let result = try store.write(position: position) {
                (inserter) throws(StorageError) in
                for record in records {
                    try add(
                        record.payload, to: inserter,
                        erasing: store.erasures.filter(record: record.sequence))
                }
                try flush(inserter)
            }
            batch.end(
                events: result.inserted + result.duplicates,
                records: reader.nextSequence - before)
            lastBatch.withLock { [batch] in $0 = batch }
        } catch {
            guard error.code == .misuse,
                suspicion.withLock({ $0.failed(at: store.position) })
            else { throw .store(error) }
            do { try storeOneByOne(records, upTo: position) } catch { throw .store(error) }
        }
        return false
    }

    /// Adds events that lie in the journal's form; the bytes must stay valid until `flush`.
    /// - Parameter filter: those of which only the identity is to be kept.
    func add(
        _ events: UnsafeRawBufferPointer, to inserter: EventInserter,
        erasing filter: ErasureFilter?
    ) throws(StorageError) {
        var payload = EventPayload(events)
        while true {
            let row: EventRow?
            do throws(CorruptPayload) { row = try payload.next() } catch {
                unreadable.add()
                setAside(.unreadableRecord(events), inserter)
                return
            }
            guard let row else { return }
            if let filter, filter.matches(row) {
                try inserter.addErased(row)
                continue
            }
            do throws(StorageError) {
                try inserter.add(row)
            } catch {
                guard error.code == .rejected else { throw error }
                setAside(row, error, inserter)
            }
        }
    }

    /// Stores what was added.
    func flush(_ inserter: EventInserter) throws(StorageError) {
        for rejected in try inserter.flush() { setAside(rejected.row, rejected.error, inserter) }
    }

    private func setAside(_ row: EventRow, _ error: StorageError, _ inserter: EventInserter) {
        refused.add()
        setAside(.record(row.data ?? row.type, "refused_by_store", error.message), inserter)
    }

    func setAside(_ entry: QuarantineEntry, _ inserter: EventInserter) {
        log.error("an event cannot be stored") {
            $0.add("code", entry.code)
            $0.add("detail", entry.detail)
        }
        inserter.quarantine(entry)
    }

    func maintain(isIdle: Bool) throws(EventWriterError) {
        do throws(StorageError) { try store.maintain(now: .now(), isIdle: isIdle) } catch {
            throw .store(error)
        }
    }

    /// Lets the journal go of what a checkpoint has made durable.
    private static func release(_ journal: Journal) -> StoreChore {
        let released: Locked<UInt64?> = Locked(nil)
        return StoreChore("journal") { (store, _) in
            let durable = store.durablePosition
            let isNews = released.withLock { released in
                defer { released = durable }
                return released != durable
            }
            if isNews { journal.release(upTo: durable, by: EventWriter.consumer) }
        }
    }

    private var shouldEnd: Bool {
        let (isStopping, deadline) = state.withLock { ($0.isStopping, $0.drainDeadline) }
        guard isStopping else { return false }
        return deadline.hasPassed || store.position >= journal.committedSequence
    }

    /// Lets a batch form, if many events came lately and the store keeps up with them.
    private func gather() {
        let batch = lastBatch.withLock { $0 }
        guard let next = window.withLock({ $0.stored(batch.events, now: .now()) }),
            store.position + batch.records > journal.committedSequence
        else { return }
        rest(until: next)
    }

    /// Rests while cores are short: each one that this thread holds keeps somebody waiting whom a
    /// client waits for.
    private func giveWay() {
        let batch = lastBatch.withLock { $0 }
        guard batch.events >= GatherWindow.crowd, batch.isStarved || journal.isShortOfCores,
            state.withLock({ $0.urgentUntil.hasPassed })
        else { return }
        rest(until: .after(min(batch.elapsed * EventWriter.restShare, EventWriter.longestRest)))
    }

    /// Waits, unless somebody waits for the store.
    private func rest(until deadline: Deadline) {
        _ = state.wait(
            until: deadline, for: { $0.isUrgent || $0.isStopping },
            then: { $0.isUrgent = false })
    }

    /// Has what is journaled stored without delay. Any thread.
    package func hurry() { beUrgent(upTo: journal.committedSequence) }

    /// Somebody waits: storing does not yield for a while, nor before it is at `position`.
    private func beUrgent(upTo position: UInt64) {
        state.change { state in
            state.urgentPosition = max(state.urgentPosition, position)
            state.isUrgent = true
            state.urgentUntil = .after(EventWriter.hurryTime)
        }
    }

    /// Has an idle writer look at its inboxes at once; a busy one comes by after its batch. Any thread.
    package func attend() {
        beUrgent(upTo: 0)
        journal.ring()
    }

    private func waitForMore() {
        guard !state.withLock({ $0.isStopping }), !journal.isClosed else { return }
        _ = journal.waitForCommitted(
            after: store.position, until: .after(EventWriter.idleWait),
            or: { store.hasUrgentChore || streams?.queue.hasWaiting ?? false })
    }

    /// Waits before the next try. What others sent needs nothing of a journal that cannot be read.
    private func wait(_ delay: Duration, after error: EventWriterError, _ turn: Turn) {
        guard case .journal = error else { return pause(delay) }
        if streams != nil, !isJournalUnreadable.exchange(true, ordering: .relaxed) {
            // The store takes own entries from the streams meanwhile.
            journal.renewIdentity(above: .max)
        }
        do throws(EventWriterError) { try storeStreamed(for: delay, turn) } catch {
            failed(error)
            pause(delay)
        }
    }

    /// Waits before the next try, though not for long when the service stops.
    func pause(_ delay: Duration) {
        if isStopping { return rest(before: min(delay, .milliseconds(50))) }
        _ = state.wait(until: .after(delay), for: { $0.isStopping }, then: { _ in })
    }

    private func rest(before duration: Duration) {
        _ = state.wait(until: .after(duration), for: { _ in false }, then: { _ in })
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
        if isNews { log.error("the store takes no events") { $0.add("error", text) } }
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
