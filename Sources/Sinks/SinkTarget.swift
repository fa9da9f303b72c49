import HTTPClient
import Primitives
import Resilience
import Telemetry

/// A sink's receiver: one attempt to deliver, behind the sink's breaker. Any thread that may block.
final class SinkTarget: Sendable {
    let options: SinkOptions
    let counters: SinkCounters
    private let receiver: HTTPReceiver

    init(_ options: SinkOptions, client: HTTPClient, counters: SinkCounters, log: Logger) {
        self.options = options
        self.counters = counters
        let headers: [(name: String, value: String)] =
            [("Content-Type", "application/cloudevents-batch+json")]
            + options.headers.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        receiver = HTTPReceiver(
            HTTPReceiverOptions(
                name: "sink:\(options.name)", url: options.url, headers: headers,
                timeout: options.timeout, longestRetryAfter: SinkOptions.longestRetryAfter,
                isRefusal: SinkTarget.isRefusal),
            client: client, onReply: { counters.durations.observe($0) },
            onChange: { change, lastError in
                log.log(change, "sink breaker changed", lastError: lastError) {
                    $0.add("sink", options.name)
                }
            })
    }

    var breaker: CircuitBreaker { receiver.breaker }

    /// A want of credentials says nothing of what was sent: with a key that has run out each event
    /// would become a dead letter, and the oldest of those are deleted in the end.
    private static func isRefusal(_ status: Int) -> Bool {
        (400..<500).contains(status) && ![401, 407, 408].contains(status)
    }

    /// Sends a JSON array of CloudEvents.
    func send(_ body: Bytes) -> HTTPReceiver.Outcome { receiver.send(body) }
}
