import HTTPClient
import OTLPMessages
import Primitives

/// Sends messages of one signal to an OTLP/HTTP endpoint, one attempt a call, behind a breaker. One
/// thread at a time.
final class OTLPExport: Sendable {
    enum Outcome {
        /// The endpoint accepted the message; some of its records may have been left out.
        case delivered(OTLPPartialSuccess?)
        /// The endpoint refused the message; another attempt would be refused as well.
        case refused(String)
        /// The endpoint could not be reached, not in time, or wants to be asked again.
        case failed(String)
    }

    private let receiver: HTTPReceiver

    /// An endpoint may ask for more; it is asked again after this.
    private static let longestRetryAfter = Duration.seconds(60)
    /// Statuses by which an endpoint asks for the same message again (OTLP 1.3, "Failures").
    private static let retried = [408, 500, 502, 503, 504]

    /// - Parameter path: of the signal: `v1/logs`.
    init(_ options: OTLPOptions, path: StaticString) {
        var client = HTTPClientOptions()
        client.userAgent = "\(options.serviceName)/\(options.serviceVersion)"
        client.inFlightLimit = 1
        client.idleConnectionLimit = 1
        var receiver = HTTPReceiverOptions(
            name: "otlp", url: options.url(path),
            headers: OTLPEncoding.exportHeaders + options.headers, timeout: options.timeout,
            longestRetryAfter: OTLPExport.longestRetryAfter,
            isRefusal: { !OTLPExport.retried.contains($0) })
        receiver.successesToClose = 1
        self.receiver = HTTPReceiver(receiver, client: HTTPClient(client))
    }

    func send(_ message: Bytes) -> Outcome {
        let outcome = withExtendedLifetime(message) {
            receiver.send(gzipCompress(message.span))
        }
        switch outcome {
        case .accepted(let reply): return .delivered(OTLPPartialSuccess(reply: reply.body))
        case .refused(let status): return .refused("HTTP status \(status)")
        case .failed(let reason, _, _), .notSent(_, let reason): return .failed(reason)
        case .cancelled: return .failed("the service is shutting down")
        }
    }
}
