import HTTPClient
import Primitives
import Resilience
import Telemetry

/// A sink's receiver: one attempt to deliver, behind the sink's breaker. Any thread that may block.
final class SinkTarget: Sendable {
    enum Outcome: Equatable {
        case delivered
        /// It will not have what was sent, with this status.
        case refused(Int)
        /// It asks to be left alone for a while, or could not be reached, or not in time.
        case failed(String, retryAfter: Duration?, isTimeout: Bool)
        /// The receiver asked for a rest, or the breaker is open; nothing was sent.
        case notSent(wait: Duration, reason: String)
        /// The client is closed.
        case cancelled
    }

    let options: SinkOptions
    let breaker: CircuitBreaker
    let counters: SinkCounters
    /// What the last attempt failed with; kept after recovery.
    private let cause: Locked<String>
    /// When the receiver may be asked again, by its last `Retry-After`: that holds for all lanes.
    private let restEnd: Locked<MonotonicTime>
    private let client: HTTPClient
    private let headers: [(name: String, value: String)]

    private static let contentType = "application/cloudevents-batch+json"
    /// While half-open others may have all permits; they are done soon.
    private static let longestRefusal = Duration.seconds(1)

    init(_ options: SinkOptions, client: HTTPClient, counters: SinkCounters, log: Logger) {
        self.options = options
        self.client = client
        self.counters = counters
        restEnd = Locked(.now())
        let cause = Locked("")
        self.cause = cause
        headers =
            [("Content-Type", SinkTarget.contentType)]
            + options.headers.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        breaker = CircuitBreaker(
            name: "sink:\(options.name)", options: SinkTarget.breakerOptions(options)
        ) { change in
            log.log(change.to == .open ? .warning : .notice, "sink breaker changed") {
                $0.add("sink", options.name)
                $0.add("from", change.from.rawValue)
                $0.add("to", change.to.rawValue)
                $0.add("reason", change.reason.rawValue)
                $0.add("failure_rate", change.failureRate)
                $0.add("slow_rate", change.slowRate)
                $0.add("last_error", cause.withLock { $0 })
            }
        }
    }

    /// A batch is tried a few times a second at most, so five calls must do for a rate, and two for
    /// a trial. A receiver may take its time: only its timeout counts as slow.
    private static func breakerOptions(_ options: SinkOptions) -> BreakerOptions {
        var breaker = BreakerOptions()
        breaker.minimumCalls = 5
        breaker.slowAfter = options.timeout
        breaker.successesToClose = 2
        breaker.leaseTime = options.timeout + .seconds(5)
        return breaker
    }

    /// Sends a JSON array of CloudEvents.
    func send(_ body: Bytes) -> Outcome {
        let rest = restEnd.withLock { $0.since(.now()) }
        if rest > .zero {
            return .notSent(wait: rest, reason: "the receiver asked to be left alone for a while")
        }
        admitTrial()
        let now = MonotonicTime.now()
        guard let permit = breaker.admit(at: now) else {
            let wait = breaker.snapshot(at: now).retryAfter
            let isOpen = breaker.snapshot(at: now).mode == .open
            return .notSent(
                wait: isOpen ? wait : min(wait, SinkTarget.longestRefusal),
                reason: "the sink's breaker is open")
        }
        do throws(HTTPClientError) {
            let reply = try client.post(
                options.url, headers: headers, body: body, deadline: .after(options.timeout))
            counters.durations.observe(MonotonicTime.now().since(now))
            return judge(reply, permit)
        } catch {
            return judge(error, permit)
        }
    }

    /// The next delivery is the probe of an open breaker: a receiver understands nothing else, and
    /// that it lets itself be connected to says little.
    private func admitTrial() {
        let now = MonotonicTime.now()
        if let generation = breaker.probeDue(at: now) {
            breaker.finishProbe(generation, isHealthy: true, at: now)
        }
    }

    private func judge(_ reply: HTTPReply, _ permit: BreakerPermit) -> Outcome {
        let now = MonotonicTime.now()
        let retryAfter = reply.retryAfter.map { min($0, SinkOptions.longestRetryAfter) }
        let reason = "HTTP status \(reply.status)"
        switch reply.status {
        case 200..<300:
            breaker.record(permit, .success, at: now)
            return .delivered
        case 425, 429:
            // It is well, and wants less: that is what the wait is for.
            breaker.giveBack(permit)
        // A want of credentials says nothing of what was sent: with a key that has run out each
        // event would become a dead letter, and the oldest of those are let go of in the end.
        case 400..<500 where ![401, 407, 408].contains(reply.status):
            breaker.record(permit, .success, at: now)
            return .refused(reply.status)
        default: fail(permit, .failure, reason)
        }
        if let retryAfter { restEnd.withLock { $0 = max($0, now + retryAfter) } }
        let isTimeout = reply.status == 408 || reply.status == 504
        return .failed(reason, retryAfter: retryAfter, isTimeout: isTimeout)
    }

    private func judge(_ error: HTTPClientError, _ permit: BreakerPermit) -> Outcome {
        switch error.code {
        case .cancelled:
            breaker.giveBack(permit)
            return .cancelled
        case .queueFull, .internal, .invalidRequest:
            // Says nothing of the receiver.
            breaker.giveBack(permit)
        case .connect, .timeout, .tls, .reset, .protocolViolation, .tooLarge:
            fail(permit, .connectionFailure, error.description)
        }
        return .failed(error.description, retryAfter: nil, isTimeout: error.code == .timeout)
    }

    /// Notes the cause first: the change that may follow is logged with it.
    private func fail(_ permit: BreakerPermit, _ outcome: BreakerOutcome, _ reason: String) {
        cause.withLock { $0 = reason }
        breaker.record(permit, outcome, at: .now())
    }
}
