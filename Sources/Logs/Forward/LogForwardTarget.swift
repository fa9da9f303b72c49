import HTTPClient
import OTLPMessages
import Primitives
import Resilience
import Telemetry

/// A forward's receiver: one attempt to deliver, behind the forward's breaker. The sender's thread.
final class LogForwardTarget: Sendable {
    enum Outcome: Equatable {
        /// It took the request, and left so many of its records out.
        case delivered(rejected: Int)
        /// It will not have what was sent, with this status.
        case refused(Int)
        /// It could not be reached, not in time, or wants to be asked again.
        case failed(String, retryAfter: Duration?)
        /// It asked for a rest, or the breaker is open; nothing was sent.
        case notSent(wait: Duration)
        /// The client is closed.
        case cancelled
    }

    let options: LogForwardOptions
    let breaker: CircuitBreaker
    let counters: LogForwardCounters
    /// When the receiver may be asked again, by its last `Retry-After`.
    private let restEnd = Locked(MonotonicTime.now())
    private let client: HTTPClient
    private let headers: [(name: String, value: String)]

    /// While half-open others may have all permits; they are done soon.
    private static let longestRefusal = Duration.seconds(1)
    /// What says something of the request and nothing of the receiver. A want of credentials, or a
    /// path that is not there, is a mistake in a configuration, and ends when somebody mends it;
    /// until then the records wait.
    private static let refusals = [400, 406, 411, 413, 414, 415, 422, 431]

    init(
        _ options: LogForwardOptions, client: HTTPClient, counters: LogForwardCounters, log: Logger
    ) {
        self.options = options
        self.client = client
        self.counters = counters
        headers =
            [("Content-Type", "\(OTLPEncoding.protobuf.mediaType)"), ("Content-Encoding", "gzip")]
            + options.headers.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        breaker = CircuitBreaker(
            name: "log-forward:\(options.name)",
            options: LogForwardTarget.breakerOptions(options)
        ) { change in
            log.log(change.to == .open ? .warning : .notice, "log forward breaker changed") {
                $0.add("forward", options.name)
                $0.add("from", change.from.rawValue)
                $0.add("to", change.to.rawValue)
                $0.add("reason", change.reason.rawValue)
            }
        }
    }

    /// One request at a time and a few a second, so five calls must do for a rate, and two for a
    /// trial. A receiver may take its time: only its timeout counts as slow.
    private static func breakerOptions(_ options: LogForwardOptions) -> BreakerOptions {
        var breaker = BreakerOptions()
        breaker.minimumCalls = 5
        breaker.slowAfter = options.timeout
        breaker.successesToClose = 2
        breaker.leaseTime = options.timeout + .seconds(5)
        return breaker
    }

    /// Sends an `ExportLogsServiceRequest`.
    func send(_ message: UnsafeRawBufferPointer) -> Outcome {
        let rest = restEnd.withLock { $0.since(.now()) }
        if rest > .zero { return .notSent(wait: rest) }
        admitTrial()
        let now = MonotonicTime.now()
        guard let permit = breaker.admit(at: now) else {
            let state = breaker.snapshot(at: now)
            return .notSent(
                wait: state.mode == .open
                    ? state.retryAfter : min(state.retryAfter, LogForwardTarget.longestRefusal))
        }
        do throws(HTTPClientError) {
            let reply = try client.post(
                options.url, headers: headers, body: gzipCompress(message),
                deadline: .after(options.timeout))
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
        switch reply.status {
        case 200..<300:
            breaker.record(permit, .success, at: now)
            let partial = withExtendedLifetime(reply.body) {
                OTLPPartialSuccess(reply: reply.body.span)
            }
            return .delivered(rejected: Int(clamping: max(0, partial?.rejected ?? 0)))
        case 425, 429:
            // It is well, and wants less: that is what the wait is for.
            breaker.giveBack(permit)
        case let status where LogForwardTarget.refusals.contains(status):
            breaker.record(permit, .success, at: now)
            return .refused(status)
        default: breaker.record(permit, .failure, at: now)
        }
        let retryAfter = reply.retryAfter.map { min($0, LogForwardOptions.longestRetryAfter) }
        if let retryAfter { restEnd.withLock { $0 = max($0, now + retryAfter) } }
        return .failed("HTTP status \(reply.status)", retryAfter: retryAfter)
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
            breaker.record(permit, .connectionFailure, at: .now())
        }
        return .failed(error.description, retryAfter: nil)
    }
}
