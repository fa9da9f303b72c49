import Masking
import Primitives
import Telemetry

/// What an HTTP server is told when it starts; the defaults are those that the README and
/// `millrace serve --help` name.
package struct HTTPServerOptions: Sendable {
    package var host = "127.0.0.1"
    /// 0: the system chooses.
    package var port: UInt16 = 0
    /// Event loops, each a thread.
    package var loops = 2
    package var maxConnections = 4096
    package var headerLimitBytes = 32 << 10
    package var bodyLimitBytes = 10 << 20
    /// What all bodies may take in memory together.
    package var bodyMemoryBytes = 256 << 20
    /// What of that is kept free for bodies to inflate to: the largest should fit.
    package var inflatingBytes = 0
    package var headerTimeout = Duration.seconds(10)
    /// How long a connection may wait for its next request.
    package var idleTimeout = Duration.seconds(75)
    package var bodyMinimumBytesPerSecond = 1 << 10
    /// Before this a body's rate is not looked at, so that a pause at its start is held against nobody.
    package var bodyGrace = Duration.seconds(5)
    /// How long a client may take over its reply; of a streaming reply, over each piece of it.
    package var replyTimeout = Duration.seconds(120)
    /// How long a reply is awaited for a client that has closed its side of the connection.
    package var halfClosedTimeout = Duration.seconds(30)
    /// How often a streaming reply without news sends a comment.
    package var heartbeatInterval = Duration.seconds(15)
    /// Origins that browsers may call from; `*` is any. Empty: none.
    package var corsOrigins: [String] = []
    package var accessLog = AccessLog.Mode.errors
    /// Masks what problems say: texts, names of parameters, paths without a route.
    package var masker = Masker.standard

    /// What libmicrohttpd needs for a field of a request's header beside its bytes (0.9.75).
    static let fieldBytes = 64
    /// What a reply's header may need.
    static let replyHeaderBytes = 2 << 10

    package init() {}

    /// Of each connection: the request's header, an entry for each of its fields, and the reply's
    /// header. libmicrohttpd clears all of it after each request, so more is slower.
    var connectionMemoryBytes: Int { headerLimitBytes + (4 << 10) }
}

/// Which finished requests are logged.
package enum AccessLog {
    package enum Mode: String, CaseIterable, Sendable { case off, errors, all }
}
