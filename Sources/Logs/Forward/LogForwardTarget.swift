import HTTPClient
import OTLPMessages
import Primitives
import Resilience
import Telemetry

/// A forward's receiver: one attempt to deliver, behind the forward's breaker. The sender's thread.
final class LogForwardTarget: Sendable {
    let options: LogForwardOptions
    let counters: LogForwardCounters
    private let receiver: HTTPReceiver

    /// What says something of the request and nothing of the receiver. A want of credentials, or a
    /// path that is not there, is a mistake in a configuration, and ends when somebody mends it;
    /// until then the records wait.
    private static let refusals = [400, 406, 411, 413, 414, 415, 422, 431]

    init(
        _ options: LogForwardOptions, client: HTTPClient, counters: LogForwardCounters, log: Logger
    ) {
        self.options = options
        self.counters = counters
        let headers: [(name: String, value: String)] =
            OTLPEncoding.exportHeaders
            + options.headers.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        receiver = HTTPReceiver(
            HTTPReceiverOptions(
                name: "log-forward:\(options.name)", url: options.url, headers: headers,
                timeout: options.timeout, longestRetryAfter: LogForwardOptions.longestRetryAfter,
                isRefusal: { LogForwardTarget.refusals.contains($0) }),
            client: client, onReply: { counters.durations.observe($0) },
            onChange: { change, lastError in
                log.log(change, "log forward breaker changed", lastError: lastError) {
                    $0.add("forward", options.name)
                }
            })
    }

    var breaker: CircuitBreaker { receiver.breaker }

    /// Sends an `ExportLogsServiceRequest`.
    func send(_ message: UnsafeRawBufferPointer) -> HTTPReceiver.Outcome {
        receiver.send(gzipCompress(message))
    }
}
