import Primitives
import Telemetry

/// What an HTTP server is told when it starts; the defaults are HTTP_API.md's.
package struct HTTPServerOptions: Sendable {
    package var host = "127.0.0.1"
    /// 0: the system chooses.
    package var port: UInt16 = 0
    /// Event loops, each a thread.
    package var loops = 2
    package var maxConnections = 4096
    package var headerLimitBytes = 32 << 10
    package var bodyLimitBytes = 10 << 20
    package var headerTimeout = Duration.seconds(10)
    /// How long a connection may wait for its next request.
    package var idleTimeout = Duration.seconds(75)
    package var bodyMinimumBytesPerSecond = 1 << 10
    /// Origins that browsers may call from; `*` is any. Empty: none.
    package var corsOrigins: [String] = []
    package var accessLog = AccessLog.Mode.errors

    package init() {}
}

/// Which finished requests are logged.
package enum AccessLog {
    package enum Mode: String, CaseIterable, Sendable { case off, errors, all }
}
