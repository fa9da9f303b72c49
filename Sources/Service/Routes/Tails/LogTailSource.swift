import HTTPServer
import Logs
import Primitives
import Storage
import Telemetry

/// `GET /logs/tail`: new records as they become visible to `GET /logs`.
///
/// The last commits are kept in memory (`LogTailRing`), and subscribers are served from there. A
/// client that comes back with `Last-Event-ID` is first sent what it missed from the store. One that
/// is slower than the ring is long is brought to its beginning, and told with an event `dropped`.
final class LogTailSource: TailSource {
    static let noun = "logs"
    static let threadName = "log-tail"
    /// Records that a client who comes back gets from the store; of more it gets the newest.
    private static let resumeRecords: Int64 = 10_000
    /// Those of them that are in memory for one client at a time.
    private static let pageRecords = 16
    private static let patience = Duration.seconds(2)

    struct Position: Sendable {
        let filter: LogFilter
        let matcher: LogMatcher
        /// The number of the next record to look at.
        var next: Int64
        /// Where the client was, until the store was asked what it missed.
        var resumption: LogPlace?
        /// Where the store has what it missed, and how many of those have been read.
        var missed: [LogArrival] = []
        var missedRead = 0
        /// What was read and is not sent yet.
        var page: ArraySlice<LogMessage> = []
        /// How often records had been erased when the store was asked.
        var erasures = 0
        /// The client's place is of another store.
        var isReset = false
        /// The last place that it was told.
        var place: LogPlace

        /// Forgets what was read and is not sent yet: some of it may have been erased since. What is
        /// left of it is read again.
        mutating func readAgain() {
            guard let first = page.first?.place.arrival else { return }
            missedRead = missed.firstIndex { $0.place.arrival >= first } ?? missedRead
            page = []
        }
    }

    private typealias Subscriber = TailSubscriber<Position>

    private let store: LogStore
    private let log: Logger
    private let ring: Locked<LogTailRing>

    init(_ store: LogStore, log: Logger) {
        self.store = store
        self.log = log
        ring = Locked(LogTailRing(end: store.initialArrival + 1))
    }

    func start(announce: @escaping @Sendable () -> Void) {
        store.onCommit { [ring] commit in
            ring.withLock { $0.add(commit) }
            announce()
        }
    }

    /// Lets go of all records that are kept in memory, after some of them were erased.
    func forget() { ring.withLock { $0.removeAll() } }

    func position(_ request: Request) throws(Problem) -> Position {
        var filters = LogFilterParameters()
        for parameter in try request.checkedParameters(
            ["level", "service", "trace_id", "q"], lists: LogFilterParameters.lists)
        {
            _ = try filters.take(parameter)
        }
        let filter = try filters.checked()
        let place = try request.lastEventID { LogPlace(text: $0) }
        let present = ring.withLock { $0.end }
        var position = Position(
            filter: filter, matcher: LogMatcher(filter), next: present, resumption: place,
            place: LogPlace(arrival: present - 1, time: WallClock.nowMilliseconds()))
        if let place {
            position.isReset = place.arrival >= present
            position.next = position.isReset ? present : place.arrival + 1
            if position.isReset { position.resumption = nil }
        }
        return position
    }

    func serve(_ subscriber: inout TailSubscriber<Position>) -> Bool {
        let ring = ring.withLock { $0 }
        resume(&subscriber, ring)
        return send(&subscriber, ring)
    }

    /// Asks the store for what a client missed that came back, as far as memory has not got it.
    private func resume(_ subscriber: inout Subscriber, _ ring: LogTailRing) {
        guard let place = subscriber.position.resumption else { return }
        subscriber.position.resumption = nil
        guard subscriber.position.next < ring.start else { return }
        var after = place
        let skipped = ring.start - 1 - place.arrival - LogTailSource.resumeRecords
        if skipped > 0 {
            after = LogPlace(arrival: place.arrival + skipped, time: place.time)
            subscriber.drop(skipped)
        }
        do throws(StorageError) {
            subscriber.position.missed = try store.arrivals(
                after: after, before: ring.start, subscriber.position.filter,
                deadline: .after(LogTailSource.patience))
            subscriber.position.erasures = ring.erasures
        } catch {
            log.warning("tail cannot read the logs") { $0.add("error", error) }
            subscriber.drop(ring.start - after.arrival - 1)
        }
        subscriber.position.next = ring.start
    }

    /// - Returns: whether the subscriber has everything.
    private func send(_ subscriber: inout Subscriber, _ ring: LogTailRing) -> Bool {
        if subscriber.position.next < ring.start {
            subscriber.drop(ring.start - subscriber.position.next)
            subscriber.position.next = ring.start
        }
        guard sendNotices(&subscriber), sendMissed(&subscriber, ring) else { return false }
        for commit in ring.commits where commit.endArrival > subscriber.position.next {
            var hasRoom = true
            let matcher = subscriber.position.matcher
            subscriber.position.next = commit.each(from: subscriber.position.next, matcher) {
                hasRoom = LogTailSource.send($0, &subscriber)
                return hasRoom
            }
            guard hasRoom else { return false }
        }
        return true
    }

    /// - Returns: whether there is room for more.
    private func sendMissed(_ subscriber: inout Subscriber, _ ring: LogTailRing) -> Bool {
        if subscriber.position.erasures != ring.erasures {
            subscriber.position.erasures = ring.erasures
            subscriber.position.readAgain()
        }
        while readPage(&subscriber) {
            while let message = subscriber.position.page.first {
                guard LogTailSource.send(message, &subscriber) else { return false }
                subscriber.position.page.removeFirst()
            }
        }
        subscriber.position.missed = []
        subscriber.position.missedRead = 0
        subscriber.position.page = []
        return true
    }

    /// Reads more of what the client missed, once it has all that was read.
    /// - Returns: whether there is something to send.
    private func readPage(_ subscriber: inout Subscriber) -> Bool {
        while subscriber.position.page.isEmpty {
            let rest = subscriber.position.missed.dropFirst(subscriber.position.missedRead)
            let next = Array(rest.prefix(LogTailSource.pageRecords))
            if next.isEmpty { return false }
            subscriber.position.missedRead += next.count
            do throws(StorageError) {
                subscriber.position.page = try store.messages(
                    at: next, deadline: .after(LogTailSource.patience))[...]
            } catch {
                log.warning("tail cannot read the logs") { $0.add("error", error) }
                subscriber.drop(Int64(next.count))
            }
        }
        return true
    }

    private static func send(_ message: LogMessage, _ subscriber: inout Subscriber) -> Bool {
        var text = ByteBuffer(capacity: message.json.count + 64)
        text.append("id: ")
        text.append(message.place.text)
        text.append("\ndata: ")
        text.append(message.json.span)
        text.append("\n\n")
        guard subscriber.send(text.freeze()) else { return false }
        subscriber.position.place = message.place
        return true
    }

    /// - Returns: whether there is room for more.
    private func sendNotices(_ subscriber: inout Subscriber) -> Bool {
        let id = subscriber.position.place.text
        if subscriber.position.isReset {
            guard subscriber.send(Bytes("event: reset\nid: \(id)\ndata: {}\n\n")) else {
                return false
            }
            subscriber.position.isReset = false
        }
        return subscriber.sendDropped(id: id)
    }
}

/// The last commits, for tails.
struct LogTailRing: Sendable {
    /// Of all records together; the last commit is kept whatever its size.
    private static let limitBytes = 8 << 20

    private(set) var commits: [LogCommit] = []
    private var bytes = 0
    /// One above the number of the last record.
    private(set) var end: Int64
    /// Calls of `removeAll`.
    private(set) var erasures = 0

    init(end: Int64) { self.end = end }

    /// The number of the first record that is here.
    var start: Int64 { commits.first?.firstArrival ?? end }

    mutating func add(_ commit: LogCommit) {
        commits.append(commit)
        bytes += commit.byteCount
        end = commit.endArrival
        while bytes > LogTailRing.limitBytes, commits.count > 1 {
            bytes -= commits.removeFirst().byteCount
        }
    }

    mutating func removeAll() {
        commits = []
        bytes = 0
        erasures += 1
    }
}
