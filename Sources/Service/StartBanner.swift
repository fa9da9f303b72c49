import Primitives
import Telemetry

/// What the service says once it listens: where, what is on and off, and where to go next.
package struct StartBanner: Sendable {
    private let configuration: Configuration
    private let address: String

    /// - Parameter port: the one in use, which the configuration does not know if it said 0.
    package init(_ configuration: Configuration, port: Int) {
        self.configuration = configuration
        address = "http://\(ListenHost.authority(configuration.host, port: port))"
    }

    /// One readable line, without its newline.
    package var line: String {
        """
        \(title) \(Version.current) listens on \(address) \
        (data \(configuration.dataDirectory), journal sync \(configuration.journalSync.rawValue), \
        retention \(retention), Redis \(redis), sinks \(sinks), keys \(keys), SQL \(sql), CORS \(cors), access log \
        \(configuration.accessLog.rawValue)). Try: curl \(address)/healthz; \
        all it understands: \(address)/openapi.yaml
        """
    }

    /// The line for people, or the same as a record for machines.
    /// - Parameter isHumanReadable: whether `output` is read by people, as `LogFormat` decides.
    package func announce(
        to output: StandardStream, logger: Logger, isHumanReadable: Bool
    ) {
        guard !isHumanReadable else { return output.write("\(line)\n") }
        logger.info("listening") {
            $0.add("version", Version.current)
            $0.add("address", address)
            $0.add("data_dir", configuration.dataDirectory)
            $0.add("journal_sync", configuration.journalSync.rawValue)
            $0.add("retention", retention)
            $0.add("keys", configuration.keysFile != nil)
            $0.add("sql", configuration.enableSQL)
            $0.add("named_queries", configuration.queriesDirectory != nil)
            $0.add("redis", redis)
            $0.add("sinks", sinks)
            $0.add("cors", cors)
            $0.add("access_log", configuration.accessLog.rawValue)
            $0.add("openapi", "\(address)/openapi.yaml")
        }
    }

    private var title: String {
        configuration.role == .worker ? "millrace worker" : "millrace"
    }
    private var retention: String { RetentionText.format(configuration.retention) }
    /// Without their passwords.
    private var redis: String {
        guard let cache = configuration.cacheRedisURL else {
            return configuration.redisURL?.description ?? "off"
        }
        return configuration.redisURL.map { "\($0) and for the cache \(cache)" }
            ?? "for the cache alone \(cache)"
    }
    private var sinks: String {
        configuration.sinks.isEmpty
            ? "off" : configuration.sinks.map(\.name).joined(separator: ",")
    }
    private var keys: String { configuration.keysFile == nil ? "off" : "on" }
    private var sql: String { configuration.enableSQL ? "on" : "off" }
    private var cors: String {
        configuration.corsOrigins.isEmpty ? "off" : configuration.corsOrigins.joined(separator: ",")
    }
}

extension LogFormat {
    /// Whether records to `stream` are text for people.
    package func isHumanReadable(on stream: StandardStream) -> Bool {
        switch self {
        case .auto: stream.isTerminal
        case .json: false
        case .text: true
        }
    }
}
