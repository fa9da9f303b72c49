/// Where taken-in logs are sent on to: one entry of `log-forwards:`.
package struct LogForwardOptions: Sendable, Equatable {
    package var name: String
    /// http or https, with its path: `https://collector.example.com/v1/logs`.
    package var url: String
    /// Records of a lower severity stay here; 0 sends all. A record that has none counts as 0.
    package var minimumSeverity: UInt8 = 0
    /// For one attempt, connection and reply included.
    package var timeout = Duration.seconds(10)
    /// Sent with each request, and never shown.
    package var headers: [String: String] = [:]
    /// Of what waits on disk; new records are dropped beyond it.
    package var spoolLimitBytes = 256 << 20

    package init(name: String, url: String) {
        self.name = name
        self.url = url
    }

    /// Of batches that wait in memory for the disk: half a second of 100,000 records a second.
    static let queueLimitBytes = 16 << 20
    /// A frame of the spool is closed when its message is so large.
    static let frameBytes = 256 << 10
    /// A request's message before compression. Collectors take 20 MiB; a larger frame goes alone.
    static let requestBytes = 1 << 20
    /// How long a request waits for more records, unless it is full.
    static let gatherTime = Duration.milliseconds(200)
    /// A receiver may ask for more; it is asked again after this.
    static let longestRetryAfter = Duration.seconds(600)
}
