import HTTPServer
import Logs
import Primitives
import Storage
import Telemetry

/// `GET /logs/tail`: new records as Server-Sent Events, as they become visible to `GET /logs`.
///
/// The last commits are kept in memory (`LogTailRing`), and one thread serves all subscribers from
/// there, each from its own place. A client that comes back with `Last-Event-ID` is first sent what
/// it missed from the store. One that is slower than the ring is long is brought to its beginning,
/// and told with an event `dropped`.
final class LogTailHub: Sendable {
    private static let subscriberLimit = 256
    /// Records read from the store for a client that comes back; of more it gets the newest.
    private static let resumeRecords: Int64 = 10_000
    private static let patience = Duration.seconds(2)
    /// Commits within this are served together.
    private static let pause = Duration.milliseconds(20)

    private struct Subscriber: Sendable {
        let stream: EventStream
        let filter: LogFilter
        let matcher: LogMatcher
        let principal: Principal
        /// The number of the next record to look at.
        var next: Int64
        /// Where the client was, until the store was asked what it missed.
        var resumption: LogPlace?
        /// What the store said that it missed, and how much of that is sent.
        var missed: [LogMessage] = []
        var missedSent = 0
        var dropped: Int64 = 0
        /// The client's place is of another store.
        var isReset = false
        /// The last place that it was told.
        var place: LogPlace
    }

    private struct State {
        var subscribers: [ObjectIdentifier: Subscriber] = [:]
        var ring: LogTailRing
        var hasNews = false
        var isClosed = false
    }

    private let store: LogStore
    private let log: Logger
    private let isValid: @Sendable (Principal) -> Bool
    private let state: Monitor<State>
    private let thread = ThreadSlot()
    let dropped = Counter()

    /// - Parameter isValid: whether a caller may still be told anything.
    init(store: LogStore, log: Logger, isValid: @escaping @Sendable (Principal) -> Bool) {
        self.store = store
        self.log = log
        self.isValid = isValid
        state = Monitor(State(ring: LogTailRing(end: store.initialArrival + 1)))
    }

    func start() {
        store.onCommit { [state] commit in
            state.change { state in
                state.ring.add(commit)
                state.hasNews = !state.subscribers.isEmpty
            }
        }
        thread.start(name: "log-tail") { [self] in run() }
    }

    /// Ends every stream and the thread.
    func close() {
        let streams = state.change { state in
            state.isClosed = true
            return state.subscribers.values.map(\.stream)
        }
        for stream in streams { stream.finish() }
        thread.join()
    }

    var subscribers: Int { state.withLock { $0.subscribers.count } }

    /// Lets go of all records that are kept in memory, after some of them were erased.
    func forget() {
        state.change { state in
            state.ring.removeAll()
            for key in Array(state.subscribers.keys) {
                state.subscribers[key]?.missed = []
                state.subscribers[key]?.missedSent = 0
            }
        }
    }

    /// The handler.
    func handle(_ request: Request, _ responder: Responder) {
        do throws(Problem) {
            var filters = LogFilterParameters()
            for parameter in try request.checkedParameters(
                ["level", "service", "trace_id", "q"], lists: LogFilterParameters.lists)
            {
                _ = try filters.take(parameter)
            }
            let stream = try subscribe(
                try filters.checked(), request.principal,
                after: try LogTailHub.resumption(request))
            responder.respond(
                Response(200, contentType: "text/event-stream", body: .stream(stream)))
        } catch {
            responder.respond(error, request)
        }
    }

    private static func resumption(_ request: Request) throws(Problem) -> LogPlace? {
        guard let text = request.headers.text("last-event-id"), !text.isEmpty else { return nil }
        guard let place = LogPlace(text: text) else {
            throw .parameter("Last-Event-ID", "Last-Event-ID is not one that this stream gave out.")
        }
        return place
    }

    private func subscribe(
        _ filter: LogFilter, _ principal: Principal, after place: LogPlace?
    ) throws(Problem) -> EventStream {
        let stream = EventStream()
        // A first line makes the reply begin at once, so that a client knows it is connected.
        _ = stream.send(Bytes(": connected\n\n"))
        let key = ObjectIdentifier(stream)
        let isTaken = state.change { state -> Bool in
            guard !state.isClosed, state.subscribers.count < LogTailHub.subscriberLimit else {
                return false
            }
            let present = state.ring.end
            var subscriber = Subscriber(
                stream: stream, filter: filter, matcher: LogMatcher(filter),
                principal: principal, next: present, resumption: place,
                place: LogPlace(arrival: present - 1, time: WallClock.nowMilliseconds()))
            if let place {
                subscriber.isReset = place.arrival >= present
                subscriber.next = min(place.arrival + 1, present)
                if subscriber.isReset { subscriber.resumption = nil }
            }
            state.subscribers[key] = subscriber
            state.hasNews = true
            return true
        }
        guard isTaken else {
            throw Problem(503, "too_many_tails", "Too many clients follow the logs.")
        }
        stream.onClose { [state] in state.withLock { $0.subscribers[key] = nil } }
        return stream
    }

    // MARK: The thread

    private func run() {
        while true {
            _ = state.wait(until: .after(.seconds(1)), for: { $0.hasNews || $0.isClosed }) {
                $0.hasNews = false
            }
            let (keys, isClosed) = state.withLock { (Array($0.subscribers.keys), $0.isClosed) }
            if isClosed { return }
            for key in keys { serve(key) }
            _ = state.wait(until: .after(LogTailHub.pause), for: { $0.isClosed }, then: { _ in })
        }
    }

    private func serve(_ key: ObjectIdentifier) {
        let (found, ring) = state.withLock { ($0.subscribers[key], $0.ring) }
        guard var subscriber = found else { return }
        // A stream may outlive its key by a second.
        guard isValid(subscriber.principal) else { return subscriber.stream.finish() }
        resume(&subscriber, ring)
        let isBehind = !send(&subscriber, ring)
        let served = subscriber
        state.change { state in
            // It may have left.
            if state.subscribers[key] != nil { state.subscribers[key] = served }
            if isBehind { state.hasNews = true }
        }
    }

    /// Asks the store for what a client missed that came back, as far as memory has not got it.
    private func resume(_ subscriber: inout Subscriber, _ ring: LogTailRing) {
        guard let place = subscriber.resumption else { return }
        subscriber.resumption = nil
        guard subscriber.next < ring.start else { return }
        var after = place
        let skipped = ring.start - 1 - place.arrival - LogTailHub.resumeRecords
        if skipped > 0 {
            after = LogPlace(arrival: place.arrival + skipped, time: place.time)
            drop(skipped, &subscriber)
        }
        do throws(StorageError) {
            subscriber.missed = try store.arrivals(
                after: after, before: ring.start, subscriber.filter,
                deadline: .after(LogTailHub.patience))
        } catch {
            log.warning("tail cannot read the logs") { $0.add("error", error) }
            drop(ring.start - after.arrival - 1, &subscriber)
        }
        subscriber.next = ring.start
    }

    private func drop(_ count: Int64, _ subscriber: inout Subscriber) {
        subscriber.dropped += count
        dropped.add(Int(count))
    }

    /// - Returns: whether the subscriber has everything.
    private func send(_ subscriber: inout Subscriber, _ ring: LogTailRing) -> Bool {
        if subscriber.next < ring.start {
            drop(ring.start - subscriber.next, &subscriber)
            subscriber.next = ring.start
        }
        guard sendNotices(&subscriber) else { return false }
        while subscriber.missedSent < subscriber.missed.count {
            let message = subscriber.missed[subscriber.missedSent]
            guard LogTailHub.send(message, &subscriber) else { return false }
            subscriber.missedSent += 1
        }
        subscriber.missed = []
        subscriber.missedSent = 0
        for commit in ring.commits where commit.endArrival > subscriber.next {
            var hasRoom = true
            let matcher = subscriber.matcher
            subscriber.next = commit.each(from: subscriber.next, matcher) { message in
                hasRoom = LogTailHub.send(message, &subscriber)
                return hasRoom
            }
            guard hasRoom else { return false }
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
        guard subscriber.stream.send(text.freeze()) else { return false }
        subscriber.place = message.place
        return true
    }

    /// - Returns: whether there is room for more.
    private func sendNotices(_ subscriber: inout Subscriber) -> Bool {
        let id = subscriber.place.text
        if subscriber.isReset {
            guard subscriber.stream.send(Bytes("event: reset\nid: \(id)\ndata: {}\n\n")) else {
                return false
            }
            subscriber.isReset = false
        }
        guard subscriber.dropped > 0 else { return true }
        let text = "event: dropped\nid: \(id)\ndata: {\"count\":\(subscriber.dropped)}\n\n"
        guard subscriber.stream.send(Bytes(text)) else { return false }
        subscriber.dropped = 0
        return true
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
    }
}
