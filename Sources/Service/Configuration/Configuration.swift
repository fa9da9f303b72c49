import HTTPServer
import Logs
import Query
import Redis
import Sinks
import Storage
import Streams
import Telemetry

/// What the service runs with: every setting, checked and typed. Fields are as in `Settings`.
package struct Configuration: Sendable {
    package let role: ServiceRole

    package let host: String
    /// 0: any free port.
    package let port: Int
    /// Nil: nobody needs a key.
    package let keysFile: String?
    package let insecureNoAuth: Bool
    /// Empty: CORS is off. `*` alone: any origin.
    package let corsOrigins: [String]
    /// In lower case, without ports.
    package let allowedHosts: [String]
    package let maxConnections: Int
    package let loops: Int

    package let bodyLimitBytes: Int
    package let decompressedLimitBytes: Int
    package let decompressionRatio: Int
    package let bodyMemoryBytes: Int
    package let eventLimitBytes: Int
    package let batchEvents: Int
    package let jsonDepth: Int
    package let headerLimitBytes: Int
    package let headerTimeout: Duration
    /// Bytes a second; 0: no minimum.
    package let bodyMinRateBytes: Int
    package let idleTimeout: Duration
    package let ackTimeout: Duration
    package let queryTimeout: Duration

    package let dataDirectory: String
    package let journalMaxBytes: Int
    package let journalSync: JournalSync
    package let journalSyncInterval: Duration
    package let retention: RetentionPolicy
    package let readers: Int
    package let cacheMemoryBytes: Int

    /// Nil: there are no named queries.
    package let queriesDirectory: String?
    package let enableSQL: Bool
    package let insightsIgnored: [InsightExemption]

    /// Nil: events do not leave this node.
    package let redisURL: RedisURL?
    /// Nil: the cache uses `redisURL`.
    package let cacheRedisURL: RedisURL?
    /// This node's name; the host's if nobody said otherwise.
    package let node: String
    /// The consumer group of this node's store.
    package let group: String
    package let partitions: Int
    package let streamEncoding: StreamOptions.Encoding
    package let streamMaxBytes: Int
    /// Nil: age removes nothing.
    package let streamMaxAge: Duration?
    package let streamClaimAfter: Duration
    package let streamConsumerMaxIdle: Duration

    package let logLevel: LogLevel
    package let logFormat: LogFormat
    /// Nil: stdout alone.
    package let logFile: LogFileOptions?
    package let logRingBytes: Int
    /// Nil: all are kept.
    package let logSampling: LogSampling?
    package let accessLog: AccessLog.Mode
    package let masking: MaskingSettings
    /// Nil: the service's own log is not exported.
    package let otlp: OTLPOptions?
    /// In the order of their names.
    package let logForwards: [LogForwardOptions]

    package let logsStore: LogsStoreMode
    /// Nil: age drops nothing.
    package let logsRetention: RetentionPolicy
    package let logsMaxBytes: Int
    package let logsQueueBytes: Int

    package let drainDelay: Duration
    package let shutdownTimeout: Duration
    /// In the order of their names.
    package let sinks: [SinkOptions]
    /// In the order of their names.
    package let rollups: [Rollup]

    init(_ values: ResolvedSettings, _ masking: MaskingSettings, role: ServiceRole) {
        self.role = role
        self.masking = masking
        host = values[\.host]
        port = values[\.port]
        keysFile = values[\.keysFile]
        insecureNoAuth = values[\.insecureNoAuth]
        corsOrigins = values[\.corsOrigins]
        allowedHosts = values[\.allowedHosts]
        maxConnections = values[\.maxConnections]
        loops = values[\.loops]
        bodyLimitBytes = values[\.bodyLimit]
        decompressedLimitBytes = values[\.decompressedLimit]
        decompressionRatio = values[\.decompressionRatio]
        bodyMemoryBytes = values[\.bodyMemory]
        eventLimitBytes = values[\.eventLimit]
        batchEvents = values[\.batchEvents]
        jsonDepth = values[\.jsonDepth]
        headerLimitBytes = values[\.headerLimit]
        headerTimeout = values[\.headerTimeout]
        bodyMinRateBytes = values[\.bodyMinRate]
        idleTimeout = values[\.idleTimeout]
        ackTimeout = values[\.ackTimeout]
        queryTimeout = values[\.queryTimeout]
        dataDirectory = values[\.dataDir]
        journalMaxBytes = values[\.journalMaxBytes]
        journalSync = values[\.journalSync]
        journalSyncInterval = values[\.journalSyncInterval]
        retention = values[\.retention]
        readers = values[\.readers]
        cacheMemoryBytes = values[\.cacheMemory]
        queriesDirectory = values[\.queriesDir]
        enableSQL = values[\.enableSQL]
        insightsIgnored = values[\.insightsIgnore]
        redisURL = values[\.redisURL]
        cacheRedisURL = values[\.cacheRedisURL]
        // A worker is often put beside a node, and with one name both would be one consumer.
        let standard = role == .worker ? HostName.current + "-worker" : HostName.current
        let node = values[\.node].isEmpty ? standard : values[\.node]
        self.node = node
        group = values[\.group].isEmpty ? node : values[\.group]
        partitions = values[\.partitions]
        streamEncoding = values[\.streamEncoding]
        streamMaxBytes = values[\.streamMaxBytes]
        streamMaxAge = values[\.streamMaxAge]
        streamClaimAfter = values[\.streamClaimAfter]
        streamConsumerMaxIdle = values[\.streamConsumerMaxIdle]
        logLevel = values[\.logLevel]
        logFormat = values[\.logFormat]
        logFile = Configuration.logFile(values)
        logRingBytes = values[\.logRingBytes]
        let first = values[\.logSampleFirst]
        logSampling =
            first == 0
            ? nil : LogSampling(firstPerSecond: first, thenEvery: values[\.logSampleEvery])
        accessLog = values[\.accessLog]
        logsStore = values[\.logsStore]
        logsRetention = values[\.logsRetention]
        logsMaxBytes = values[\.logsMaxBytes]
        logsQueueBytes = values[\.logsQueueBytes]
        otlp = Configuration.otlp(values, node: node)
        logForwards = values.entries(of: LogForwardDeclaration.form)
            .map(LogForwardDeclaration.options)
        drainDelay = values[\.drainDelay]
        shutdownTimeout = values[\.shutdownTimeout]
        sinks = values.entries(of: SinkDeclaration.form).map(SinkDeclaration.options)
        rollups = values.entries(of: RollupDeclaration.form).map(RollupDeclaration.rollup)
    }
}

extension Configuration {
    private static func logFile(_ values: ResolvedSettings) -> LogFileOptions? {
        values[\.logFile].map { path in
            LogFileOptions(
                path: path, maxBytes: values[\.logFileMaxBytes],
                maxAge: values[\.logFileMaxAge], keepFiles: values[\.logFileKeep],
                keepBytes: values[\.logFileKeepBytes], keepAge: values[\.logFileKeepAge])
        }
    }

    /// Reads the configuration from flags, environment, the file that they name, and defaults.
    /// - Parameters:
    ///   - flags: texts by the names of the settings, as `["port": "9000"]`.
    ///   - environment: all variables; those that do not begin with `MILLRACE_` are not looked at.
    /// - Throws: everything that is wrong, together.
    package static func load(
        flags: [String: String] = [:], environment: [String: String] = [:],
        role: ServiceRole = .serve
    ) throws(ConfigurationError) -> Configuration {
        let values = try SettingsResolver.resolve(flags: flags, environment: environment)
        let masking = try ConfigurationCheck.run(values, role: role)
        return Configuration(values, masking, role: role)
    }
}
