import EventCoding
import HTTPServer
import Primitives
import Storage
import Telemetry

/// `GET /events/tail`: new events as they become visible to `/query`.
///
/// Events are read from the store. A client that is slow has its queue filled and then falls behind,
/// for the store has what it lacks. When it takes nothing at all for `patience` and is more than
/// `lagLimit` events behind, it is brought to the present and told with an event `dropped`.
///
/// A client that comes back with `Last-Event-ID` goes on where it was. If the id is of another
/// store, because another node answers now or the data directory is new, it goes on near the same
/// event and is told with an event `resumed`; with `reset` if this store does not have the event.
final class EventTailSource: TailSource {
    static let noun = "events"
    static let threadName = "tail"
    private static let lagLimit: Int64 = 10_000
    private static let patience = Duration.seconds(10)
    private static let pageEvents = 500

    struct Position: Sendable {
        let types: [String]
        /// The types that the principal is bound to.
        let bound: EventTypePatterns
        /// Of the last event that was looked at.
        var seq: Int64
        /// The place that the client named, until the store has said where that is.
        var resumption: TailPlace?
    }

    private typealias Subscriber = TailSubscriber<Position>

    private let store: EventStore
    private let log: Logger
    /// Of the last event that is visible.
    private let lastSeq: Locked<Int64>

    init(_ store: EventStore, log: Logger) {
        self.store = store
        self.log = log
        lastSeq = Locked(store.status.lastSeq)
    }

    func start(announce: @escaping @Sendable () -> Void) {
        _ = store.onCommit { [self] point in
            saw(point.lastSeq)
            announce()
        }
    }

    /// - Returns: the last event that is visible.
    @discardableResult
    private func saw(_ seq: Int64) -> Int64 {
        lastSeq.withLock { last in
            last = max(last, seq)
            return last
        }
    }

    func position(_ request: Request) throws(Problem) -> Position {
        var types: [String] = []
        for parameter in try request.checkedParameters(["type"], lists: ["type"]) {
            types = try EventRoutes.types(parameter)
        }
        try request.checkTypes(types, parameter: "type")
        let place = try request.lastEventID { TailPlace(text: $0) }
        // A commit is visible before those who wait for it are told.
        return Position(
            types: types, bound: EventTypePatterns(request.principal.types),
            seq: saw(store.status.lastSeq), resumption: place)
    }

    func serve(_ subscriber: inout TailSubscriber<Position>) -> Bool {
        if let since = subscriber.fullSince, !subscriber.stream.isHalfEmpty {
            // The store is not read for a client that has no room for it.
            let lag = lastSeq.withLock { $0 } - subscriber.position.seq
            guard MonotonicTime.now().since(since) > EventTailSource.patience,
                lag > EventTailSource.lagLimit
            else { return false }
            subscriber.drop(lag)
            subscriber.position.seq += lag
        }
        do throws(StorageError) {
            guard try resume(&subscriber) else { return false }
            let seq = subscriber.position.seq
            guard subscriber.sendDropped(id: store.place(after: seq).text) else { return false }
            return try send(&subscriber)
        } catch {
            log.warning("tail cannot read the store") { $0.add("error", error) }
            return false
        }
    }

    /// Finds out where a client goes on that came back, and tells it if that is not where it was.
    /// - Returns: whether there is room for more.
    private func resume(_ subscriber: inout Subscriber) throws(StorageError) -> Bool {
        guard let place = subscriber.position.resumption else { return true }
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
        subscriber.position.seq = start.seq
        subscriber.position.resumption = nil
        return true
    }

    /// - Returns: whether the subscriber has everything.
    private func send(_ subscriber: inout Subscriber) throws(StorageError) -> Bool {
        let tail = try store.events(
            after: subscriber.position.seq, types: subscriber.position.types,
            limit: EventTailSource.pageEvents,
            deadline: .after(.seconds(2)))
        for event in tail.events where subscriber.position.bound.match(event.type) {
            var message = ByteBuffer(capacity: 512)
            message.append("id: ")
            message.append(store.place(after: event.seq, event: event).text)
            message.append("\ndata: ")
            let start = message.count
            message.append(cloudEvent: event)
            message.joinLines(from: start)
            message.append("\n\n")
            guard subscriber.send(message.freeze()) else { return false }
            subscriber.position.seq = event.seq
        }
        subscriber.position.seq = max(subscriber.position.seq, tail.lastSeq)
        return !tail.hasMore
    }
}
