import HTTPServer
import Primitives
import Telemetry

/// What tails show: where new rows come from, and how a subscriber is brought up to date.
protocol TailSource: Sendable {
    /// What a subscriber asked for, and how far it is.
    associatedtype Position: Sendable

    /// What clients follow: `events`.
    static var noun: String { get }
    /// Of the thread that serves the subscribers; at most 15 bytes.
    static var threadName: String { get }

    /// Calls `announce` after each commit, from the thread that commits. Called once.
    func start(announce: @escaping @Sendable () -> Void)

    /// Where a new subscriber begins. Runs on the event loop.
    func position(_ request: Request) throws(Problem) -> Position

    /// Sends what the subscriber has not got yet, as far as its queue has room. The hub's thread.
    /// - Returns: whether the subscriber has everything.
    func serve(_ subscriber: inout TailSubscriber<Position>) -> Bool
}

/// A client that follows a tail.
struct TailSubscriber<Position: Sendable>: Sendable {
    let stream: EventStream
    let principal: Principal
    var position: Position
    /// Since when the queue has been too full for the next message.
    private(set) var fullSince: MonotonicTime?
    /// Rows that were passed over and that the client has not been told of.
    private var untold: Int64 = 0
    private let dropped: Counter

    init(stream: EventStream, principal: Principal, position: Position, dropped: Counter) {
        self.stream = stream
        self.principal = principal
        self.position = position
        self.dropped = dropped
    }

    /// - Returns: whether there was room for `message`.
    mutating func send(_ message: Bytes) -> Bool {
        let isSent = stream.send(message)
        fullSince = isSent ? nil : fullSince ?? .now()
        return isSent
    }

    /// Counts rows that the client will not be sent.
    mutating func drop(_ rows: Int64) {
        untold += rows
        dropped.add(Int(rows))
    }

    /// Tells the client how many rows were dropped, if any were.
    /// - Parameter id: where the client goes on when it comes back.
    /// - Returns: whether there is room for more.
    mutating func sendDropped(id: @autoclosure () -> String) -> Bool {
        guard untold > 0 else { return true }
        let text = "event: dropped\nid: \(id())\ndata: {\"count\":\(untold)}\n\n"
        guard send(Bytes(text)) else { return false }
        untold = 0
        return true
    }
}

/// New rows of one source as Server-Sent Events (WHATWG HTML, section 9.2).
///
///     let hub = TailHub(EventTailSource(store, log: log), isValid: { … })
///     hub.start()
///     router.on(.get, "/events/tail", access: .eventsRead, bodyLimit: .none) { hub.handle($0, $1) }
///
/// - One thread serves all subscribers, each from its own position, after each commit and at least
///   once a second. Only that thread changes a subscriber.
/// - Each stream has a bounded queue. Its position stays where it is while the queue is full, so a
///   slow client costs no memory beyond that queue; the source decides when it drops rows.
/// - A stream ends when its client leaves, its key becomes invalid, or the hub closes.
final class TailHub<Source: TailSource>: Sendable {
    private struct State {
        var subscribers: [ObjectIdentifier: TailSubscriber<Source.Position>] = [:]
        /// Somebody may lack something.
        var hasNews = false
        var isClosed = false
    }

    let source: Source
    private let isValid: @Sendable (Principal) -> Bool
    private let state = Monitor(State())
    private let thread = ThreadSlot()
    /// Rows that subscribers were not sent because they were too slow.
    let dropped = Counter()

    /// - Parameter isValid: whether a caller may still be told anything.
    init(_ source: Source, isValid: @escaping @Sendable (Principal) -> Bool) {
        self.source = source
        self.isValid = isValid
    }

    func start() {
        source.start { [state] in
            let isAwaited = state.withLock { !$0.subscribers.isEmpty }
            if isAwaited { state.change { $0.hasNews = true } }
        }
        thread.start(name: Source.threadName) { [self] in run() }
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

    /// Answers a request with a stream. Runs on the event loop.
    func handle(_ request: Request, _ responder: Responder) {
        do throws(Problem) {
            let stream = try subscribe(try source.position(request), request.principal)
            responder.respond(
                Response(200, contentType: "text/event-stream", body: .stream(stream)))
        } catch {
            responder.respond(error, request)
        }
    }

    private func subscribe(
        _ position: Source.Position, _ principal: Principal
    ) throws(Problem) -> EventStream {
        let stream = EventStream()
        // A first line makes the reply begin at once, so that a client knows it is connected.
        _ = stream.send(Bytes(": connected\n\n"))
        let key = ObjectIdentifier(stream)
        let subscriber = TailSubscriber(
            stream: stream, principal: principal, position: position, dropped: dropped)
        let isAccepted = state.change { state -> Bool in
            guard !state.isClosed, state.subscribers.count < subscriberLimit else { return false }
            state.subscribers[key] = subscriber
            // A commit may have come since the position was read.
            state.hasNews = true
            return true
        }
        guard isAccepted else {
            throw Problem(503, "too_many_tails", "Too many clients follow the \(Source.noun).")
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
            _ = state.wait(until: .after(pause), for: { $0.isClosed }, then: { _ in })
        }
    }

    private func serve(_ key: ObjectIdentifier) {
        guard var subscriber = state.withLock({ $0.subscribers[key] }) else { return }
        // A stream may outlive its key by a second.
        guard isValid(subscriber.principal) else { return subscriber.stream.finish() }
        let isBehind = !source.serve(&subscriber)
        let served = subscriber
        state.change { state in
            // It may have left.
            if state.subscribers[key] != nil { state.subscribers[key] = served }
            if isBehind { state.hasNews = true }
        }
    }
}

extension Request {
    /// The position that a client which comes back names.
    /// - Parameter read: nil for text that is no position.
    func lastEventID<Place>(_ read: (String) -> Place?) throws(Problem) -> Place? {
        guard let text = headers.text("last-event-id"), !text.isEmpty else { return nil }
        guard let place = read(text) else {
            throw .parameter("Last-Event-ID", "Last-Event-ID is not one that this stream gave out.")
        }
        return place
    }
}

/// Streams of one hub: each has a connection of its own.
private let subscriberLimit = 256
/// Commits within this are served together.
private let pause = Duration.milliseconds(20)
