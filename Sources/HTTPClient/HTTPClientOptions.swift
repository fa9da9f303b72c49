/// What can be chosen about a client.
package struct HTTPClientOptions: Sendable {
    /// What it calls itself.
    package var userAgent = "millrace"
    /// Requests under way at once. Each has a connection, so this bounds those as well.
    package var inFlightLimit = 32
    /// Requests that wait for one of those; more are refused. With bodies of 1 MiB each, 160 MiB
    /// at the worst.
    package var queueLimit = 128
    /// Of a reply's body, so much is kept; the connection is closed if there is more.
    package var replyLimitBytes = 64 << 10
    /// A reply whose header block is larger is an error.
    package var headerLimitBytes = 32 << 10
    /// A transfer slower than this for `lowSpeedTime` is given up, whatever its deadline says.
    package var lowSpeedBytesPerSecond = 16
    package var lowSpeedTime = Duration.seconds(30)
    /// Idle connections kept for the next request.
    package var idleConnectionLimit = 16
    /// A file of certificates to trust instead of the system's; nil for those.
    package var certificateFile: String?

    package init() {}
}
