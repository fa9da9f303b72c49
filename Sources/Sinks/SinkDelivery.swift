import EventCoding
import HTTPClient
import Primitives
import Resilience
import Storage
import Streams
import Telemetry

/// Gets one batch across, however long it takes. The lane's thread.
///
/// DESIGN. What fails (no answer, 5xx, 401, 407, 408, 425, 429) is tried again for ever, with
/// growing waits: the receiver's trouble costs time and no event. Where it is the time that does not
/// suffice, the batch is sent in halves. What is refused (any other 4xx) is tried five times in all;
/// a batch is then cut in two and its halves are sent at once, and a half that is refused is cut
/// again, until the refused event stands alone. That one is given five tries of its own and becomes
/// a dead letter. So one bad event among a hundred costs some 25 requests, and all others arrive, in
/// their order.
struct SinkDelivery {
    /// The sink is being stopped; the batch is not settled.
    struct Stopped: Error {}

    /// Waits so long, or until the sink is stopped, and keeps the batch alive meanwhile. It is told
    /// how many events of the run were in requests that came back, or are in one that must wait.
    typealias Pause = (_ time: Duration, _ returnedCount: Int) throws(Stopped) -> Void

    let target: SinkTarget
    let log: Logger
    let pause: Pause

    private(set) var dead: [DeadLetterEntry] = []
    private(set) var size: SinkRequestSize
    private var returnedCount = 0

    init(
        _ target: SinkTarget, size: SinkRequestSize, log: Logger, pause: @escaping Pause
    ) {
        self.size = size
        self.target = target
        self.log = log
        self.pause = pause
    }

    /// Delivers all of `run`; what was refused for good is in `dead` afterwards.
    mutating func deliver(_ run: EventRun) throws(Stopped) {
        var start = 0
        while start < run.count {
            var end = min(run.count, start + size.count)
            while end > start + 1,
                run.byteCount(of: start..<end) > SinkOptions.requestLimitBytes
            {
                end = start + (end - start) / 2
            }
            try deliver(run, start..<end, isPart: false)
            start = end
        }
    }

    /// Makes dead letters of all of `run` without sending anything.
    mutating func giveUp(_ run: EventRun) {
        for index in 0..<run.count {
            bury(run[index], status: DeadLetterEntry.neverRefused, refusals: 0)
        }
    }

    /// - Parameter isPart: of a batch that is known to be refused.
    private mutating func deliver(
        _ run: EventRun, _ range: Range<Int>, isPart: Bool
    ) throws(Stopped) {
        let body = run.array(range)
        let refusalLimit = isPart && range.count > 1 ? 1 : SinkOptions.refusalLimit
        var (refusals, failures, timeouts) = (0, 0, 0)
        while true {
            // Sending alone can go on for long without a failure to wait for.
            try pause(.zero, returnedCount)
            let answer = target.send(body)
            if !answer.isCancelled { returnedCount = max(returnedCount, range.upperBound) }
            switch answer {
            case .accepted:
                return delivered(range.count)
            case .refused(let status):
                refusals += 1
                refused(status)
                // Too large for the receiver is nothing that another try would change.
                if refusals >= refusalLimit || (status == 413 && range.count > 1) {
                    return try giveUp(run, range, status, refusals)
                }
                try pause(Backoff.background.delay(afterFailures: refusals), returnedCount)
            case .failed(let reason, let retryAfter, let isTimeout):
                failures += 1
                failed(reason)
                timeouts = isTimeout ? timeouts + 1 : 0
                // On top of what is asked for: others were asked for the same.
                let delay = Backoff.background.delay(afterFailures: failures)
                try pause((retryAfter ?? .zero) + delay, returnedCount)
                if timeouts >= SinkRequestSize.timeoutLimit, range.count > 1 {
                    size.timedOut(range.count)
                    return try deliverHalves(run, range, isPart: isPart)
                }
            case .notSent(let wait, _):
                // All lanes are told the same, and need not come back at once.
                try pause(wait + Backoff.background.delay(afterFailures: 1), returnedCount)
            case .cancelled: throw Stopped()
            }
        }
    }

    /// Looks for the refused event in the halves, or has found it.
    private mutating func giveUp(
        _ run: EventRun, _ range: Range<Int>, _ status: Int, _ refusals: Int
    ) throws(Stopped) {
        guard range.count == 1 else { return try deliverHalves(run, range, isPart: true) }
        let event = run[range.lowerBound]
        log.warning("a sink's receiver refuses an event; it is kept as a dead letter") {
            $0.add("sink", target.options.name)
            $0.add("status", status)
            $0.add("id", SinkDelivery.id(of: event))
        }
        bury(event, status: status, refusals: refusals)
    }

    private mutating func deliverHalves(
        _ run: EventRun, _ range: Range<Int>, isPart: Bool
    ) throws(Stopped) {
        let middle = range.lowerBound + range.count / 2
        try deliver(run, range.lowerBound..<middle, isPart: isPart)
        try deliver(run, middle..<range.upperBound, isPart: isPart)
    }

    private mutating func bury(_ event: UnsafeRawBufferPointer, status: Int, refusals: Int) {
        target.counters.deadLetters.add()
        dead.append(
            DeadLetterEntry(
                sink: target.options.name, time: WallClock.nowMilliseconds(), status: status,
                refusals: refusals, event: Bytes(event)))
    }

    /// The id of an event of a run, which has the padding that the parser needs.
    private static func id(of event: UnsafeRawBufferPointer) -> String {
        let parser = JSONParser(maxDepth: StreamEntryDecoder.maxDepth)
        guard let members = try? parser.members(of: event) else { return "" }
        for index in 0..<members.count where EventAttribute(members[index].key) == .id {
            return String(decoding: members[index].text, as: UTF8.self)
        }
        return ""
    }

    private mutating func delivered(_ count: Int) {
        size.delivered(count)
        target.counters.delivered.add(count)
        target.counters.batches.add()
        if target.counters.note(nil) {
            log.notice("a sink delivers again") { $0.add("sink", target.options.name) }
        }
    }

    private func refused(_ status: Int) {
        target.counters.refused.add()
        _ = target.counters.note("HTTP status \(status)")
    }

    private func failed(_ reason: String) {
        target.counters.failed.add()
        if target.counters.note(reason) {
            log.warning("a sink cannot deliver") {
                $0.add("sink", target.options.name)
                $0.add("error", reason)
            }
        }
    }
}
