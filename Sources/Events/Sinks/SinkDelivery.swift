import Primitives
import Resilience
import Storage
import Telemetry

/// Gets one batch across, however long it takes. The lane's thread.
///
/// DESIGN. What fails (no answer, 5xx, 408, 425, 429) is tried again for ever, with growing waits:
/// the receiver's trouble costs time and no event. What is refused (any other 4xx) is tried five
/// times in all; a batch is then cut in two and its halves are sent at once, and a half that is
/// refused is cut again, until the refused event stands alone. That one is given five tries of its
/// own and becomes a dead letter. So one bad event among a hundred costs some 25 requests, and all
/// others arrive, in their order.
struct SinkDelivery {
    /// The sink is being stopped; the batch is not settled.
    struct Stopped: Error {}

    /// Waits so long, or until the sink is stopped, and keeps the batch alive meanwhile. It is told
    /// whether the wait is for the receiver to recover, whatever the batch holds.
    typealias Pause = (_ time: Duration, _ isForReceiver: Bool) throws(Stopped) -> Void

    let target: SinkTarget
    let log: Logger
    let pause: Pause

    private(set) var dead: [DeadLetterEntry] = []

    init(
        _ target: SinkTarget, log: Logger, pause: @escaping Pause
    ) {
        self.target = target
        self.log = log
        self.pause = pause
    }

    /// Delivers all of `run`; what was refused for good is in `dead` afterwards.
    mutating func deliver(_ run: EventRun) throws(Stopped) {
        var start = 0
        while start < run.count {
            var end = min(run.count, start + target.options.batchSize)
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
        var (refusals, failures) = (0, 0)
        while true {
            // Sending alone can go on for long without a failure to wait for.
            try pause(.zero, false)
            switch target.send(body) {
            case .delivered:
                delivered(range.count)
                return
            case .refused(let status):
                refusals += 1
                refused(status)
                // Too large for the receiver is nothing that another try would change.
                if refusals >= refusalLimit || (status == 413 && range.count > 1) {
                    return try giveUp(run, range, status, refusals)
                }
                try pause(Backoff.background.delay(afterFailures: refusals), false)
            case .failed(let reason, let retryAfter):
                failures += 1
                failed(reason)
                let delay = Backoff.background.delay(afterFailures: failures)
                try pause(max(delay, retryAfter ?? .zero), true)
            case .notSent(let wait): try pause(max(wait, .milliseconds(10)), true)
            case .cancelled: throw Stopped()
            }
        }
    }

    /// Looks for the refused event in the halves, or has found it.
    private mutating func giveUp(
        _ run: EventRun, _ range: Range<Int>, _ status: Int, _ refusals: Int
    ) throws(Stopped) {
        guard range.count == 1 else {
            let middle = range.lowerBound + range.count / 2
            try deliver(run, range.lowerBound..<middle, isPart: true)
            return try deliver(run, middle..<range.upperBound, isPart: true)
        }
        log.warning(
            "a sink's receiver refuses an event; it is kept as a dead letter",
            ["sink": .string(target.options.name), "status": .integer(Int64(status))])
        bury(run[range.lowerBound], status: status, refusals: refusals)
    }

    private mutating func bury(_ event: UnsafeRawBufferPointer, status: Int, refusals: Int) {
        target.counters.deadLetters.add()
        dead.append(
            DeadLetterEntry(
                sink: target.options.name, time: WallClock.nowMilliseconds(), status: status,
                refusals: refusals, event: Bytes(event)))
    }

    private func delivered(_ count: Int) {
        target.counters.delivered.add(count)
        target.counters.batches.add()
        if target.counters.note(nil) {
            log.notice("a sink delivers again", ["sink": .string(target.options.name)])
        }
    }

    private func refused(_ status: Int) {
        target.counters.refused.add()
        _ = target.counters.note("HTTP status \(status)")
    }

    private func failed(_ reason: String) {
        target.counters.failed.add()
        if target.counters.note(reason) {
            log.warning(
                "a sink cannot deliver",
                ["sink": .string(target.options.name), "error": .string(reason)])
        }
    }
}
