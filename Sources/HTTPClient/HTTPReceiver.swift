import Primitives
import Resilience

/// Who is sent to, and how long an attempt and a rest may take.
package struct HTTPReceiverOptions: Sendable {
    /// Of the breaker, in reports: `sink:crm`.
    package var name: String
    package var url: String
    /// Sent with each request.
    package var headers: [(name: String, value: String)]
    /// For one attempt, connection and reply included.
    package var timeout: Duration
    /// A receiver may ask for more with `Retry-After`; it is asked again after this.
    package var longestRetryAfter: Duration
    /// Deliveries that close a breaker that was open.
    package var successesToClose = 2
    /// Whether a status, no 2xx, says something of the request and nothing of the receiver.
    package var isRefusal: @Sendable (_ status: Int) -> Bool

    package init(
        name: String, url: String, headers: [(name: String, value: String)], timeout: Duration,
        longestRetryAfter: Duration, isRefusal: @escaping @Sendable (_ status: Int) -> Bool
    ) {
        self.name = name
        self.url = url
        self.headers = headers
        self.timeout = timeout
        self.longestRetryAfter = longestRetryAfter
        self.isRefusal = isRefusal
    }

    /// A batch is tried a few times a second at most, so five calls must do for a rate. A receiver
    /// may be slow: only its timeout counts as slow.
    var breaker: BreakerOptions {
        var breaker = BreakerOptions()
        breaker.minimumCalls = 5
        breaker.slowAfter = timeout
        breaker.successesToClose = successesToClose
        breaker.leaseTime = timeout + .seconds(5)
        return breaker
    }
}

/// A receiver of POST requests behind a breaker: one attempt to deliver at a time and a thread, any
/// thread that may block. Who calls decides what is tried again.
///
///     switch receiver.send(body) {
///     case .accepted(let reply): …
///     case .refused(let status): …              // Another attempt would be refused as well.
///     case .failed(let reason, let rest, _): …  // Wait, then try again.
///     case .notSent(let wait, _): …
///     case .cancelled: return
///     }
package final class HTTPReceiver: Sendable {
    package enum Outcome: Sendable {
        /// The receiver answered 2xx.
        case accepted(HTTPReply)
        /// The receiver refused what was sent, with this status.
        case refused(Int)
        /// The receiver could not be reached, not in time, or wants to be asked again.
        case failed(String, retryAfter: Duration?, isTimeout: Bool)
        /// The receiver asked for a rest, or the breaker is open; nothing was sent.
        case notSent(wait: Duration, reason: String)
        /// The client is closed.
        case cancelled

        package var isCancelled: Bool { if case .cancelled = self { true } else { false } }
    }

    package let breaker: CircuitBreaker
    private let options: HTTPReceiverOptions
    private let client: HTTPClient
    private let onReply: @Sendable (Duration) -> Void
    /// What the last attempt failed with; kept after recovery.
    private let lastError: Locked<String>
    /// When the receiver may be asked again, by its last `Retry-After`: that holds for all threads.
    private let restEnd = Locked(MonotonicTime.now())

    /// While half-open others may have all permits; they are done soon.
    private static let longestRefusal = Duration.seconds(1)

    /// - Parameters:
    ///   - onReply: told how long each attempt took that got a reply, of whatever kind.
    ///   - onChange: told of the breaker's changes, and what the last attempt failed with.
    package init(
        _ options: HTTPReceiverOptions, client: HTTPClient,
        onReply: @escaping @Sendable (Duration) -> Void = { _ in },
        onChange: @escaping @Sendable (BreakerChange, _ lastError: String) -> Void = { _, _ in }
    ) {
        self.options = options
        self.client = client
        self.onReply = onReply
        let lastError = Locked("")
        self.lastError = lastError
        breaker = CircuitBreaker(name: options.name, options: options.breaker) { change in
            onChange(change, lastError.withLock { $0 })
        }
    }

    /// - Parameter body: made only if something is sent.
    package func send(_ body: @autoclosure () -> Bytes) -> Outcome {
        let rest = restEnd.withLock { $0.since(.now()) }
        if rest > .zero {
            return .notSent(wait: rest, reason: "the receiver asked to be left alone for a while")
        }
        admitTrial()
        let now = MonotonicTime.now()
        guard let permit = breaker.admit(at: now) else {
            let state = breaker.snapshot(at: now)
            let wait = state.retryAfter
            return .notSent(
                wait: state.mode == .open ? wait : min(wait, HTTPReceiver.longestRefusal),
                reason: "the receiver's breaker is open")
        }
        do throws(HTTPClientError) {
            let reply = try client.post(
                options.url, headers: options.headers, body: body(),
                deadline: .after(options.timeout))
            onReply(MonotonicTime.now().since(now))
            return judge(reply, permit)
        } catch {
            return judge(error, permit)
        }
    }

    /// `https://collector.example.com:4318`; the rest of a URL may be a secret.
    package static func origin(of url: String) -> String {
        let parts = url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count >= 3 else { return "" }
        return "\(parts[0])//\(parts[2].prefix { $0 != "?" && $0 != "#" })"
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
        let reason = "HTTP status \(reply.status)"
        switch reply.status {
        case 200..<300:
            breaker.record(permit, .success, at: now)
            return .accepted(reply)
        case 425, 429:
            // It is well, and wants less: that is what the wait is for.
            breaker.giveBack(permit)
        case let status where options.isRefusal(status):
            breaker.record(permit, .success, at: now)
            return .refused(status)
        default: fail(permit, .failure, reason)
        }
        let retryAfter = reply.retryAfter.map { min($0, options.longestRetryAfter) }
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

    /// Keeps the reason first: the change that may follow is told with it.
    private func fail(_ permit: BreakerPermit, _ outcome: BreakerOutcome, _ reason: String) {
        lastError.withLock { $0 = reason }
        breaker.record(permit, outcome, at: .now())
    }
}
