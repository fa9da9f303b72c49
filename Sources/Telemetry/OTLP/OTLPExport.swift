import HTTPClient
import OTLPMessages
import Primitives
import Resilience

/// Sends messages of one signal to an OTLP/HTTP endpoint, one attempt a call, behind a breaker. One
/// thread at a time.
final class OTLPExport: Sendable {
    enum Outcome {
        /// It took the message, and left so many of its records out, for the reason that it says.
        case delivered(OTLPPartialSuccess?)
        /// It will not have the message, whoever sends it again.
        case refused(String)
        /// It could not be reached, not in time, or wants to be asked again.
        case failed(String)
    }

    private let url: String
    private let headers: [(name: String, value: String)]
    private let timeout: Duration
    private let client: HTTPClient
    private let breaker: CircuitBreaker
    /// When the endpoint may be asked again, by its last `Retry-After`.
    private let restEnd = Locked(MonotonicTime.now())

    /// An endpoint may ask for more; it is asked again after this.
    private static let longestRetryAfter = Duration.seconds(60)

    /// - Parameter path: of the signal: `v1/logs`.
    init(_ options: OTLPOptions, path: StaticString) {
        url = options.url(path)
        headers =
            [("Content-Type", "\(OTLPEncoding.protobuf.mediaType)"), ("Content-Encoding", "gzip")]
            + options.headers
        timeout = options.timeout
        var clientOptions = HTTPClientOptions()
        clientOptions.userAgent = "\(options.serviceName)/\(options.serviceVersion)"
        clientOptions.inFlightLimit = 1
        clientOptions.idleConnectionLimit = 1
        client = HTTPClient(clientOptions)
        // One request a second, so five calls must do for a rate, and one for a trial.
        var breakerOptions = BreakerOptions()
        breakerOptions.minimumCalls = 5
        breakerOptions.slowAfter = options.timeout
        breakerOptions.successesToClose = 1
        breakerOptions.leaseTime = options.timeout + .seconds(5)
        breaker = CircuitBreaker(name: "otlp", options: breakerOptions)
    }

    func send(_ message: Bytes) -> Outcome {
        let now = MonotonicTime.now()
        guard restEnd.withLock({ $0 <= now }) else {
            return .failed("the endpoint asked to be left alone for a while")
        }
        // The next export is the probe of an open breaker.
        if let generation = breaker.probeDue(at: now) {
            breaker.finishProbe(generation, isHealthy: true, at: now)
        }
        guard let permit = breaker.admit(at: now) else { return .failed("the breaker is open") }
        do throws(HTTPClientError) {
            let body = withExtendedLifetime(message) { gzipCompress(message.span) }
            let reply = try client.post(
                url, headers: headers, body: body, deadline: .after(timeout))
            return judge(reply, permit)
        } catch {
            breaker.record(permit, .connectionFailure, at: .now())
            return .failed(error.description)
        }
    }

    private func judge(_ reply: HTTPReply, _ permit: BreakerPermit) -> Outcome {
        let now = MonotonicTime.now()
        switch reply.status {
        case 200..<300:
            breaker.record(permit, .success, at: now)
            return .delivered(
                withExtendedLifetime(reply.body) { OTLPPartialSuccess(reply: reply.body.span) })
        case 429, 502, 503, 504, 500, 408:
            breaker.record(permit, reply.status == 429 ? .success : .failure, at: now)
            if let rest = reply.retryAfter {
                restEnd.withLock { $0 = now + min(rest, OTLPExport.longestRetryAfter) }
            }
            return .failed("HTTP status \(reply.status)")
        default:
            breaker.record(permit, .success, at: now)
            return .refused("HTTP status \(reply.status)")
        }
    }
}
