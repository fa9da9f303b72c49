import EventCoding
import Journal
import Primitives
import Redis
import Storage
import Streams
import Telemetry

/// Orders erasures and sees them through: a thread that looks for the copies of erased events which
/// lie outside of the store.
///
///     erasures.onErased { cache.purge(.all); return true }    // before it starts
///     let erasure = erasures.order(filter, …)        // a worker; nil: too many wait
///
/// DESIGN. An erasure has a moment at which it begins, on the writer's thread. What was acknowledged
/// before it is erased, wherever it is: in rows, which the writer deletes; in the journal, not yet
/// stored, of which the writer then keeps only the identity; in memory and on other nodes. What is
/// acknowledged later is not touched, even if it matches.
///
///     writer:  begin ─ rows ─ quarantine ─ dead letters ─ names ─┐                       ┌─ log cut, finished
///     thread:                                                    └ caches ─ journal ─ streams ┘
///
/// The journal has to hold what the store may still lose with the power, identities of erased events
/// included, and what other nodes have not been sent: they erase it as it comes, and keep its identity
/// for a client that asks them. Every step can be done again, so after a restart whatever has
/// not finished is done from the stage that was written down.
package final class EventErasures: Sendable {
    private let journal: Journal
    private let store: EventStore
    private let writer: EventWriter
    private let streams: EventStreams?
    private let node: String
    private let directory: String
    private let log: Logger
    private let thread = ThreadSlot()
    private let identifiers = Locked(UUIDv7Generator())
    private let observers: Locked<[Observer]> = Locked([])

    /// A function in a lock is wrapped once more at each access, so it lies in an object.
    private final class Observer: Sendable {
        let body: @Sendable () -> Bool
        init(_ body: @escaping @Sendable () -> Bool) { self.body = body }
    }

    /// Between two looks at what is waited for.
    private static let look = Duration.milliseconds(20)
    /// After a failure; doubled with each that follows.
    private static let retryDelays = Duration.seconds(1)...Duration.seconds(60)

    package init(
        journal: Journal, store: EventStore, writer: EventWriter, streams: EventStreams?,
        node: String, directory: String, log: Logger
    ) {
        self.journal = journal
        self.store = store
        self.writer = writer
        self.streams = streams
        self.node = node
        self.directory = directory
        self.log = log
    }

    /// Calls `observer` once the events of an erasure are gone from the store, on a thread of its own:
    /// a cache drops its answers there. False has the call repeated later. Before `start`.
    package func onErased(_ observer: @escaping @Sendable () -> Bool) {
        observers.withLock { $0.append(Observer(observer)) }
    }

    package func start() {
        thread.start(name: "erase") { [self] in run() }
    }

    /// Ends the thread; what has not finished goes on after the next start.
    package func stop() {
        store.erasures.close()
        thread.join()
    }

    /// Orders an erasure and waits until it has begun. Any thread that may block.
    /// - Parameter conditions: names of the parameters that were given, with commas between.
    /// - Returns: the erasure; nil while too many wait, or if it has not begun before the deadline.
    package func order(
        _ filter: EventFilter, conditions: String, deadline: Deadline
    ) -> Erasure? {
        let now = WallClock.nowMilliseconds()
        let id = identifiers.withLock { $0.next(milliseconds: now) }
        var text = ByteBuffer(capacity: 36)
        text.append(uuid: id)
        let erasure = Erasure(
            id: text.text, requested: now, node: node, conditions: conditions,
            matcher: ErasureMatcher(filter))
        guard let ticket = store.erase(erasure, barrier: { [journal] in journal.committedSequence })
        else { return nil }
        writer.attend()
        guard store.waitUntilBegun(ticket, deadline: deadline) else { return nil }
        return store.erasures.erasure(erasure.id) ?? erasure
    }

    /// Files in the data directory that were set aside as damaged. Nobody can look for an event in
    /// them: an operator removes them, or keeps them knowingly.
    package var filesNotSearched: [String] {
        func names(_ path: String) -> [String] {
            // Without the folder there are no files in it.
            guard let folder = try? JournalDirectory(path: path) else { return [] }
            return (try? folder.names()) ?? []
        }
        let stores = names(directory).filter { $0.contains(".damaged-") }
        let name = JournalDirectory.damagedName
        let segments = names("\(journal.directory.path)/\(name)").map { "journal/\(name)/\($0)" }
        return (stores + segments).sorted()
    }

    // MARK: The thread

    private enum Failure: Error {
        case journal(JournalError)
        case redis(RedisError)
        case answersAreKept

        var description: String {
            switch self {
            case .journal(let error): error.description
            case .redis(let error): error.description
            case .answersAreKept: "answers that nodes share through redis cannot be removed"
            }
        }
    }

    /// What has been tried for one erasure.
    private struct Attempts {
        let erasure: String
        let journal = RewritingProgress()
        var delay = EventErasures.retryDelays.lowerBound
        /// The last reason that was logged.
        var told = ""
    }

    private func run() {
        var attempts = Attempts(erasure: "")
        while let erasure = store.erasures.nextWithCopies() {
            if attempts.erasure != erasure.id { attempts = Attempts(erasure: erasure.id) }
            do throws(Failure) {
                guard try removeCopies(erasure, attempts.journal) else { return }
                store.erasures.copiesAreGone(of: erasure.id)
                writer.attend()
            } catch {
                if store.erasures.isClosed { return }
                tell(error, &attempts)
                store.erasures.waitUntilClosed(.after(attempts.delay))
                attempts.delay = min(attempts.delay * 2, EventErasures.retryDelays.upperBound)
            }
        }
    }

    /// Logs a reason once, and again if it is another.
    private func tell(_ error: Failure, _ attempts: inout Attempts) {
        guard error.description != attempts.told else { return }
        attempts.told = error.description
        log.warning("copies of erased events are still there") {
            $0.add("erasure", attempts.erasure)
            $0.add("error", error.description)
        }
    }

    /// - Parameter progress: how far earlier attempts came with the journal.
    /// - Returns: false if the service stops first.
    private func removeCopies(
        _ erasure: Erasure, _ progress: RewritingProgress
    ) throws(Failure) -> Bool {
        guard let matcher = erasure.matcher else { return true }
        try forgetAnswers()
        guard wait(for: { [store] in store.durablePosition >= erasure.barrier }) else {
            return false
        }
        if let streams {
            // What the journal still has for other nodes goes to them first, and they erase it.
            let isAnnounced = wait {
                streams.waitUntilAnnounced(erasure, until: .after(EventErasures.look))
            }
            guard isAnnounced else { return false }
        }
        let filter = ErasureFilter(matcher)
        do throws(JournalError) {
            try journal.rewrite(upTo: erasure.barrier, progress: progress) {
                EventEraser.erase($0, filter)
            }
        } catch { throw .journal(error) }
        do throws(RedisError) {
            try streams?.removeErased(erasure) { [store] in store.erasures.isClosed }
        } catch { throw .redis(error) }
        // What was computed before may have been on its way to Redis.
        try forgetAnswers()
        return true
    }

    private func forgetAnswers() throws(Failure) {
        for observer in observers.withLock({ $0 }) where !observer.body() { throw .answersAreKept }
    }

    /// - Returns: false if the service stops first.
    private func wait(for isSo: () -> Bool) -> Bool {
        while !isSo() {
            if store.erasures.isClosed { return false }
            sleep(until: .after(EventErasures.look))
        }
        return true
    }
}
