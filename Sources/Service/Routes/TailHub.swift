import Events
import HTTPServer
import Primitives
import Storage
import Telemetry

/// `GET /events/tail`: new events as Server-Sent Events (WHATWG HTML, section 9.2), as they become
/// visible to `/query`.
///
/// One thread reads the store after commits and serves all subscribers, each from its own place. A
/// client that is slow has its queue filled and then falls behind, for the store has what it lacks.
/// When it takes nothing at all for `patience` and is more than `lagLimit` events behind, it is
/// brought to the present and told with an event `dropped`.
///
/// A client that comes back with `Last-Event-ID` goes on where it was. If the id is of another
/// store, because another node answers now or the data directory is new, it goes on near the same
/// event and is told with an event `resumed`; with `reset` if this store does not have the event.
final class TailHub: Sendable {
    private static let subscriberLimit = 256
    private static let lagLimit: Int64 = 10_000
    private static let patience = Duration.seconds(10)
    private static let pageEvents = 500
    /// Commits within this are served together.
    private static let pause = Duration.milliseconds(20)

    private struct Subscriber: Sendable {
        let stream: EventStream
        let types: [String]
        let principal: Principal
        /// The types that the principal is bound to.
        let bound: EventTypePatterns
        var seq: Int64
        /// What the client came back with, until the store has said where that is.
        var resumption: TailPlace?
        var dropped: Int64 = 0
        /// Since when the queue has been too full for the next message.
        var isFullSince: MonotonicTime?

        mutating func send(_ message: Bytes) -> Bool {
            let isTaken = stream.send(message)
            isFullSince = isTaken ? nil : isFullSince ?? .now()
            return isTaken
        }
    }

    private struct State {
        var subscribers: [ObjectIdentifier: Subscriber] = [:]
        var lastSeq: Int64
        var hasNews = false
        var isClosed = false
    }

    private let store: EventStore
    private let log: Logger
    private let isValid: @Sendable (Principal) -> Bool
    private let state: Monitor<State>
    private let thread = ThreadSlot()
    let dropped = Counter()

    /// - Parameter isValid: whether a caller may still be told anything.
    init(
        store: EventStore, log: Logger, isValid: @escaping @Sendable (Principal) -> Bool
    ) {
        self.store = store
        self.isValid = isValid
        self.log = log
        state = Monitor(State(lastSeq: store.status.lastSeq))
    }

    func start() {
        _ = store.onCommit { [state] point in
            let isAwaited = state.withLock { state in
                state.lastSeq = max(state.lastSeq, point.lastSeq)
                return !state.subscribers.isEmpty
            }
            if isAwaited { state.change { $0.hasNews = true } }
        }
        thread.start(name: "tail") { [self] in run() }
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

    /// The handler of `GET /events/tail`.
    func handle(_ request: Request, _ responder: Responder) {
        do throws(Problem) {
            var types: [String] = []
            for parameter in try request.checkedParameters(["type"], lists: ["type"]) {
                types = try EventRoutes.types(parameter)
            }
            try request.checkTypes(types, parameter: "type")
            let stream = try subscribe(
                types, request.principal, after: try TailHub.resumption(request))
            responder.respond(
                Response(200, contentType: "text/event-stream", body: .stream(stream)))
        } catch {
            responder.respond(error, request)
        }
    }

    private static func resumption(_ request: Request) throws(Problem) -> TailPlace? {
        guard let text = request.headers.text("last-event-id"), !text.isEmpty else { return nil }
        guard let place = TailPlace(text: text) else {
            throw .parameter("Last-Event-ID", "Last-Event-ID is not one that this stream gave out.")
        }
        return place
    }

    private func subscribe(
        _ types: [String], _ principal: Principal, after place: TailPlace?
    ) throws(Problem) -> EventStream {
        let stream = EventStream()
        // A first line makes the reply begin at once, so that a client knows it is connected.
        _ = stream.send(Bytes(": connected\n\n"))
        let key = ObjectIdentifier(stream)
        // A commit is visible before those who wait for it are told.
        let present = store.status.lastSeq
        let isTaken = state.change { state -> Bool in
            guard !state.isClosed, state.subscribers.count < TailHub.subscriberLimit else {
                return false
            }
            state.lastSeq = max(state.lastSeq, present)
            state.subscribers[key] = Subscriber(
                stream: stream, types: types, principal: principal,
                bound: EventTypePatterns(principal.types), seq: state.lastSeq, resumption: place)
            state.hasNews = true
            return true
        }
        guard isTaken else {
            throw Problem(503, "too_many_tails", "Too many clients follow the events.")
        }
        stream.onClose { [state] in state.withLock { $0.subscribers[key] = nil } }
        return stream
    }

    private func run() {
        while true {
            _ = state.wait(until: .after(.seconds(1)), for: { $0.hasNews || $0.isClosed }) {
                $0.hasNews = false
            }
            let (keys, isClosed) = state.withLock { (Array($0.subscribers.keys), $0.isClosed) }
            if isClosed { return }
            for key in keys { serve(key) }
            _ = state.wait(until: .after(TailHub.pause), for: { $0.isClosed }, then: { _ in })
        }
    }

    private func serve(_ key: ObjectIdentifier) {
        guard var subscriber = state.withLock({ $0.subscribers[key] }) else { return }
        // A stream may outlive its key by a second.
        guard isValid(subscriber.principal) else { return subscriber.stream.finish() }
        let lastSeq = state.withLock { $0.lastSeq }
        if let since = subscriber.isFullSince, !subscriber.stream.isHalfEmpty {
            // The store is not read for a client that has no room for it.
            guard MonotonicTime.now().since(since) > TailHub.patience,
                lastSeq - subscriber.seq > TailHub.lagLimit
            else { return state.change { $0.hasNews = true } }
            subscriber.dropped += lastSeq - subscriber.seq
            dropped.add(Int(lastSeq - subscriber.seq))
            subscriber.seq = lastSeq
        }
        var hasMore = true
        do throws(StorageError) {
            if try resume(&subscriber), sendDropped(&subscriber) {
                hasMore = try send(&subscriber)
            }
        } catch {
            log.warning("tail cannot read the store") { $0.add("error", error) }
        }
        let (served, isBehind) = (subscriber, hasMore)
        state.change { state in
            // It may have left.
            if state.subscribers[key] != nil { state.subscribers[key] = served }
            if isBehind { state.hasNews = true }
        }
    }

    /// Finds out where a client goes on that came back, and tells it if that is not where it was.
    /// - Returns: whether there is room for more.
    private func resume(_ subscriber: inout Subscriber) throws(StorageError) -> Bool {
        guard let place = subscriber.resumption else { return true }
        let start = try store.resume(after: place, deadline: .after(.seconds(2)))
        if start.kind != .same {
            var text = ByteBuffer(capacity: 128)
            text.append(start.kind == .found ? "event: resumed\nid: " : "event: reset\nid: ")
            text.append(store.place(after: start.seq).text)
            text.append("\ndata: {\"overlap\":")
            text.append(decimal: start.overlap)
            if start.kind == .lost {
                text.append(",\"lost_at\":")
                text.append(jsonStringOrNull: place.time.map(Timestamp.format))
            }
            text.append("}\n\n")
            guard subscriber.send(text.freeze()) else { return false }
        }
        subscriber.seq = start.seq
        subscriber.resumption = nil
        return true
    }

    /// - Returns: whether there is room for more.
    private func sendDropped(_ subscriber: inout Subscriber) -> Bool {
        guard subscriber.dropped > 0 else { return true }
        let id = store.place(after: subscriber.seq).text
        let text = "event: dropped\nid: \(id)\ndata: {\"count\":\(subscriber.dropped)}\n\n"
        guard subscriber.send(Bytes(text)) else { return false }
        subscriber.dropped = 0
        return true
    }

    /// - Returns: whether the subscriber is still behind.
    private func send(_ subscriber: inout Subscriber) throws(StorageError) -> Bool {
        let tail = try store.events(
            after: subscriber.seq, types: subscriber.types, limit: TailHub.pageEvents,
            deadline: .after(.seconds(2)))
        for event in tail.events where subscriber.bound.match(event.type) {
            var message = ByteBuffer(capacity: 512)
            message.append("id: ")
            message.append(store.place(after: event.seq, event: event).text)
            message.append("\ndata: ")
            let start = message.count
            message.append(cloudEvent: event)
            TailHub.joinLines(of: &message, from: start)
            message.append("\n\n")
            guard subscriber.send(message.freeze()) else { return true }
            subscriber.seq = event.seq
        }
        subscriber.seq = max(subscriber.seq, tail.lastSeq)
        return tail.hasMore
    }

    /// Event data is kept as it was sent and may have line breaks, which end a field here. Between
    /// the tokens of JSON a space is as good, and within its strings there are none.
    private static func joinLines(of message: inout ByteBuffer, from start: Int) {
        for offset in start..<message.count
        where message.span[offset] == UInt8(ascii: "\n")
            || message.span[offset] == UInt8(ascii: "\r")
        {
            message.set(UInt8(ascii: " "), at: offset)
        }
    }
}
