import HTTPClient
import Primitives
import Resilience
import Telemetry

/// Sends masked records on to the receivers that the configuration names.
///
///     let forwards = try LogForwards(options, directory: "data/log-forwards", …)
///     let intake = LogIntake(…, followers: [forwards.offer])
///     forwards.start()
///
/// Any thread. Each receiver has a lane of its own: none waits for another.
package final class LogForwards: Sendable {
    private let lanes: [LogForwardLane]
    /// All lanes send one request at a time, so its bounds are never reached. Nil without lanes: libcurl
    /// and its TLS take 4 MiB.
    private let client: HTTPClient?

    /// How long the end of the service waits for receivers that are well.
    private static let stopTimeout = Duration.seconds(2)

    /// - Parameter directory: holds a spool for each, under its name.
    /// - Throws: a spool cannot be opened.
    package init(
        _ options: [LogForwardOptions], directory: String, userAgent: String, log: Logger
    ) throws(LogSpoolError) {
        guard !options.isEmpty else {
            client = nil
            lanes = []
            return
        }
        var clientOptions = HTTPClientOptions()
        clientOptions.userAgent = userAgent
        clientOptions.inFlightLimit = max(1, options.count)
        clientOptions.idleConnectionLimit = max(1, options.count)
        let client = HTTPClient(clientOptions)
        self.client = client
        var lanes: [LogForwardLane] = []
        for option in options {
            lanes.append(
                try LogForwardLane(option, directory: directory, client: client, log: log))
        }
        self.lanes = lanes
    }

    /// There is nobody to send anything to.
    package var isEmpty: Bool { lanes.isEmpty }

    package func start() { for lane in lanes { lane.start() } }

    /// Shows all lanes a batch that was taken in; a `LogIntake.Follower`. Never waits.
    package func offer(_ batch: LogBatch) { for lane in lanes { lane.offer(batch) } }

    /// Puts on disk what is queued, sends what can be sent soon, and ends.
    package func stop(until deadline: Deadline) {
        for lane in lanes { lane.close() }
        let end = min(deadline, .after(LogForwards.stopTimeout))
        for lane in lanes { lane.sender.stop(until: end) }
        client?.close()
        for lane in lanes { lane.sender.join() }
    }

    /// Records that wait for their receivers; one that waits for two counts twice.
    package var waitingRecords: Int { lanes.reduce(0) { $0 + $1.waitingRecords } }

    package var statuses: [LogForwardStatus] {
        let now = MonotonicTime.now()
        return lanes.map { lane in
            LogForwardStatus(
                name: lane.options.name, origin: HTTPReceiver.origin(of: lane.options.url),
                counters: lane.counters,
                spooledRecords: lane.spooled.records, spooledBytes: lane.spooled.bytes,
                spoolLimitBytes: lane.options.spoolLimitBytes,
                breaker: lane.sender.target.breaker.snapshot(at: now))
        }
    }
}

/// What is to be said of one forward. Counts are since start.
package struct LogForwardStatus: Sendable {
    package let name: String
    /// Scheme, host and port of the URL; the rest may be a secret.
    package let origin: String
    package let counters: LogForwardCounters
    /// What waits on disk.
    package let spooledRecords: Int
    package let spooledBytes: Int
    package let spoolLimitBytes: Int
    package let breaker: BreakerSnapshot
}
