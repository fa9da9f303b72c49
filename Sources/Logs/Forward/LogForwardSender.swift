import HTTPClient
import OTLPMessages
import Primitives
import Resilience
import Telemetry

/// Reads a forward's spool and sends what is there, one request at a time, until the receiver has
/// it. Its own thread.
///
/// What fails (no answer, 5xx, 401, 403, 404, 408, 425, 429) is tried again for ever, with growing
/// waits: the receiver's trouble costs time and no record. What is refused is sent again message by
/// message, so that one bad message among many is dropped alone.
final class LogForwardSender: Sendable {
    private struct State {
        var isStopped = false
    }

    /// How often a refused message is sent before it is dropped: a receiver that is being restarted
    /// may refuse what it takes a moment later.
    private static let refusalLimit = 3
    private static let longestPause = Duration.seconds(10)

    let target: LogForwardTarget
    private let spool: LogSpool
    private let counters: LogForwardCounters
    private let log: Logger
    private let state = Monitor(State())
    private let thread = ThreadSlot()

    init(_ spool: LogSpool, _ target: LogForwardTarget, log: Logger) {
        self.spool = spool
        self.target = target
        counters = target.counters
        self.log = log
    }

    func start() { thread.start(name: "log-forward") { [self] in run() } }

    /// There is something in the spool.
    func wake() { state.change { _ in } }

    /// Gives the sender until `deadline` to send what is there, unless the receiver is away, and
    /// then tells it to end. What is left is sent after the next start.
    func stop(until deadline: Deadline) {
        while spool.records > 0, counters.lastError == nil, !deadline.hasPassed {
            sleep(until: min(deadline, .after(.milliseconds(10))))
        }
        state.change { $0.isStopped = true }
    }

    /// Waits for its end. After the client is closed, so that no request holds it up.
    func join() { thread.join() }

    private func run() {
        while waitForRecords() {
            do throws(LogSpoolError) {
                guard let run = try spool.next(limitBytes: LogForwardOptions.requestBytes) else {
                    continue
                }
                guard deliver(run) else { return }
                counters.drop(.damaged, run.damagedRecords)
                try spool.advance(past: run)
            } catch {
                failed("spool: \(error)")
                guard pause(LogForwardSender.longestPause) else { return }
            }
        }
    }

    /// Waits until there is something to send, and a little longer for more of it.
    /// - Returns: false if the sender is to end.
    private func waitForRecords() -> Bool {
        let isStopped = state.wait(for: { $0.isStopped || self.spool.records > 0 }) {
            $0.isStopped
        }
        guard isStopped == false else { return false }
        return spool.waitingBytes >= LogForwardOptions.requestBytes
            || pause(LogForwardOptions.gatherTime)
    }

    /// - Returns: false if the sender is to end; nothing of the run is settled then.
    private func deliver(_ run: borrowing LogSpoolRun) -> Bool {
        guard let first = run.frames.first, let last = run.frames.last else { return true }
        let all = first.place.lowerBound..<last.place.upperBound
        switch send(run.messages(all), records: run.records, attempts: 1) {
        case .stopped: return false
        case .delivered: return true
        case .refused: break
        }
        for frame in run.frames {
            let message = run.messages(frame.place)
            let limit = LogForwardSender.refusalLimit
            switch send(message, records: frame.records, attempts: limit) {
            case .stopped: return false
            case .delivered: continue
            case .refused(let status):
                counters.drop(.refused, frame.records)
                log.warning("log records are dropped: a forward's receiver refuses them") {
                    $0.add("forward", target.options.name)
                    $0.add("status", status)
                    $0.add("records", frame.records)
                }
            }
        }
        return true
    }

    private enum Settled {
        case delivered
        case refused(Int)
        case stopped
    }

    /// Sends until it is settled.
    /// - Parameter attempts: after so many refusals it is refused for good.
    private func send(
        _ message: UnsafeRawBufferPointer, records: Int, attempts: Int
    ) -> Settled {
        var (failures, refusals) = (0, 0)
        while true {
            var wait = Duration.zero
            switch target.send(message) {
            case .accepted(let reply):
                // The receiver may have left some of the records out.
                let rejected = OTLPPartialSuccess(reply: reply.body)?.rejected ?? 0
                delivered(records, rejected: min(Int(clamping: max(0, rejected)), records))
                return .delivered
            case .refused(let status):
                refusals += 1
                failed("HTTP status \(status)")
                guard refusals < attempts else { return .refused(status) }
                wait = Backoff.background.delay(afterFailures: refusals)
            case .failed(let reason, let retryAfter, _):
                failures += 1
                failed(reason)
                // On top of what is asked for: others were asked for the same.
                wait =
                    (retryAfter ?? .zero) + Backoff.background.delay(afterFailures: failures)
            case .notSent(let rest, _): wait = rest + .milliseconds(10)
            case .cancelled: return .stopped
            }
            guard pause(wait) else { return .stopped }
        }
    }

    private func delivered(_ records: Int, rejected: Int) {
        counters.requests.add()
        counters.delivered.add(records - rejected)
        if rejected > 0 { counters.drop(.rejected, rejected) }
        if counters.note(nil) {
            log.notice("a log forward delivers again") { $0.add("forward", target.options.name) }
        }
    }

    private func failed(_ reason: String) {
        counters.failed.add()
        guard counters.note(reason) else { return }
        log.warning("a log forward cannot deliver") {
            $0.add("forward", target.options.name)
            $0.add("error", reason)
        }
    }

    /// - Returns: false if the sender is to end.
    private func pause(_ time: Duration) -> Bool {
        let isStopped = state.wait(until: .after(time), for: { $0.isStopped }) { _ in true }
        return isStopped == nil
    }
}
