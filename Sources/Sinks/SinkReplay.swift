import HTTPClient
import Primitives
import Storage

/// Why dead letters cannot be delivered again.
package enum SinkReplayError: Error {
    /// There is no sink of that name.
    case unknownSink
    /// Another call is doing it.
    case busy
    /// The receiver takes nothing at the moment.
    case unreachable(String)
    case store(StorageError)
}

/// One pass over a sink's dead letters: each is sent once more, in batches that are cut where they
/// are refused. What is taken leaves the list; what is refused stays.
package struct SinkReplay: Sendable {
    package private(set) var delivered = 0
    package private(set) var refused = 0
    /// All of them were tried.
    package private(set) var isComplete = false
    /// Why it ended before that; nil if it was the time or their number.
    package private(set) var failure: String?

    /// Letters of one call; `isComplete` says whether to call again.
    private static let callLimit = 10_000
    /// Until the list shows what was delivered.
    private static let writeTime = Duration.seconds(5)

    mutating func run(
        _ target: SinkTarget, _ store: EventStore, _ deadline: Deadline
    ) throws(StorageError) {
        var last: Int64 = 0
        var ticket: UInt64?
        while delivered + refused < SinkReplay.callLimit, failure == nil, !deadline.hasPassed {
            let waiting = try store.waitingDeadLetters(
                sink: target.options.name, after: last, limit: target.options.batchSize,
                byteLimit: SinkOptions.requestLimitBytes, deadline: deadline)
            guard let newest = waiting.last else {
                isComplete = true
                break
            }
            last = newest.seq
            // An erasure goes through the rows first, and deletes these later.
            let letters = waiting.filter { !store.isToBeErased($0) }
            guard !letters.isEmpty else { continue }
            let run = EventRun()
            for letter in letters { run.append(json: letter.event.span) }
            let taken = send(run, 0..<run.count, target, deadline)
            if !taken.isEmpty {
                ticket =
                    store.sinks.markReplayed(
                        taken.map { letters[$0].seq }, at: WallClock.nowMilliseconds()) ?? ticket
            }
        }
        if let ticket {
            // Late is no failure: they are delivered, and the list will say so.
            _ = store.sinks.waitUntilWritten(ticket, deadline: .after(SinkReplay.writeTime))
        }
    }

    /// - Returns: the indices of what was taken.
    private mutating func send(
        _ run: EventRun, _ range: Range<Int>, _ target: SinkTarget, _ deadline: Deadline
    ) -> [Int] {
        guard failure == nil, !deadline.hasPassed else { return [] }
        switch target.send(run.array(range)) {
        case .accepted:
            target.counters.delivered.add(range.count)
            target.counters.batches.add()
            delivered += range.count
            return Array(range)
        case .refused where range.count > 1:
            target.counters.refused.add()
            let middle = range.lowerBound + range.count / 2
            return send(run, range.lowerBound..<middle, target, deadline)
                + send(run, middle..<range.upperBound, target, deadline)
        case .refused:
            target.counters.refused.add()
            refused += 1
        case .failed(let reason, _, _):
            target.counters.failed.add()
            failure = reason
        case .notSent(_, let reason): failure = reason
        case .cancelled: failure = "the service is shutting down"
        }
        return []
    }
}
