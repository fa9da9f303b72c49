import ArgumentParser

/// The flags of all settings, in the groups that `--help` shows.
struct SettingOptions: ParsableArguments {
    @OptionGroup(title: "Network") var network: NetworkOptions
    @OptionGroup(title: "Storage") var storage: StorageOptions
    @OptionGroup(title: "Queries") var queries: QuerySettingOptions
    @OptionGroup(title: "Redis") var redis: RedisSettingOptions
    @OptionGroup(title: "Limits") var limits: LimitOptions
    @OptionGroup(title: "Logging") var logging: LoggingOptions
    @OptionGroup(title: "Logs of others") var logs: LogsOptions
    @OptionGroup(title: "Masking") var masking: MaskingOptions
    @OptionGroup(title: "Process") var process: ProcessOptions

    /// What was given, by the names of the settings.
    var given: [String: String] {
        let groups: [any ParsableArguments] = [
            network, storage, queries, redis, limits, logging, logs, masking, process,
        ]
        return groups.reduce(into: [:]) { given, group in
            given.merge(SettingFlag.given(in: group)) { _, last in last }
        }
    }
}

struct NetworkOptions: ParsableArguments {
    @Option(\.host) var host: SettingFlag?
    @Option(\.port) var port: SettingFlag?
    @Option(\.keysFile) var keysFile: SettingFlag?
    @Flag(\.insecureNoAuth) var insecureNoAuth = false
    @Option(\.corsOrigins) var corsOrigins: SettingFlag?
    @Option(\.allowedHosts) var allowedHosts: SettingFlag?
    @Option(\.maxConnections) var maxConnections: SettingFlag?
    @Option(\.loops) var loops: SettingFlag?
}

struct StorageOptions: ParsableArguments {
    @Option(\.dataDir) var dataDir: SettingFlag?
    @Option(\.journalMaxBytes) var journalMaxBytes: SettingFlag?
    @Option(\.journalSync) var journalSync: SettingFlag?
    @Option(\.journalSyncInterval) var journalSyncInterval: SettingFlag?
    @Option(\.retention) var retention: SettingFlag?
    @Option(\.readers) var readers: SettingFlag?
    @Option(\.cacheMemory) var cacheMemory: SettingFlag?
}

struct QuerySettingOptions: ParsableArguments {
    @Option(\.queriesDir) var queriesDir: SettingFlag?
    @Flag(\.enableSQL) var enableSql = false
    @Option(\.insightsIgnore) var insightsIgnore: SettingFlag?
}

struct RedisSettingOptions: ParsableArguments {
    @Option(\.redisURL) var redisUrl: SettingFlag?
    @Option(\.cacheRedisURL) var cacheRedisUrl: SettingFlag?
    @Option(\.node) var node: SettingFlag?
    @Option(\.group) var group: SettingFlag?
    @Option(\.partitions) var partitions: SettingFlag?
    @Option(\.streamEncoding) var streamEncoding: SettingFlag?
    @Option(\.streamMaxBytes) var streamMaxBytes: SettingFlag?
    @Option(\.streamMaxAge) var streamMaxAge: SettingFlag?
    @Option(\.streamClaimAfter) var streamClaimAfter: SettingFlag?
    @Option(\.streamConsumerMaxIdle) var streamConsumerMaxIdle: SettingFlag?
}

struct LimitOptions: ParsableArguments {
    @Option(\.bodyLimit) var bodyLimit: SettingFlag?
    @Option(\.decompressedLimit) var decompressedLimit: SettingFlag?
    @Option(\.decompressionRatio) var decompressionRatio: SettingFlag?
    @Option(\.bodyMemory) var bodyMemory: SettingFlag?
    @Option(\.eventLimit) var eventLimit: SettingFlag?
    @Option(\.batchEvents) var batchEvents: SettingFlag?
    @Option(\.jsonDepth) var jsonDepth: SettingFlag?
    @Option(\.headerLimit) var headerLimit: SettingFlag?
    @Option(\.headerTimeout) var headerTimeout: SettingFlag?
    @Option(\.bodyMinRate) var bodyMinRate: SettingFlag?
    @Option(\.idleTimeout) var idleTimeout: SettingFlag?
    @Option(\.ackTimeout) var ackTimeout: SettingFlag?
    @Option(\.queryTimeout) var queryTimeout: SettingFlag?
}

struct LoggingOptions: ParsableArguments {
    @Option(\.logLevel) var logLevel: SettingFlag?
    @Option(\.logFormat) var logFormat: SettingFlag?
    @Option(\.logFile) var logFile: SettingFlag?
    @Option(\.logFileMaxBytes) var logFileMaxBytes: SettingFlag?
    @Option(\.logFileMaxAge) var logFileMaxAge: SettingFlag?
    @Option(\.logFileKeep) var logFileKeep: SettingFlag?
    @Option(\.logFileKeepBytes) var logFileKeepBytes: SettingFlag?
    @Option(\.logFileKeepAge) var logFileKeepAge: SettingFlag?
    @Option(\.logRingBytes) var logRingBytes: SettingFlag?
    @Option(\.logSampleFirst) var logSampleFirst: SettingFlag?
    @Option(\.logSampleEvery) var logSampleEvery: SettingFlag?
    @Option(\.accessLog) var accessLog: SettingFlag?
    @Option(\.otlpEndpoint) var otlpEndpoint: SettingFlag?
    @Option(\.otlpHeaders) var otlpHeaders: SettingFlag?
}

struct LogsOptions: ParsableArguments {
    @Option(\.logsStore) var logsStore: SettingFlag?
    @Option(\.logsRetention) var logsRetention: SettingFlag?
    @Option(\.logsMaxBytes) var logsMaxBytes: SettingFlag?
    @Option(\.logsQueueBytes) var logsQueueBytes: SettingFlag?
}

struct MaskingOptions: ParsableArguments {
    @Option(\.maskMode) var maskMode: SettingFlag?
    @Option(\.maskAllow) var maskAllow: SettingFlag?
    @Option(\.maskHashKey) var maskHashKey: SettingFlag?
    @Option(\.maskHashKeyFile) var maskHashKeyFile: SettingFlag?
    @Option(\.maskHashKeyID) var maskHashKeyId: SettingFlag?
    @Option(\.maskEventsTypes) var maskEventsTypes: SettingFlag?
    @Option(\.maskEventsClasses) var maskEventsClasses: SettingFlag?
}

struct ProcessOptions: ParsableArguments {
    @Option(\.config) var config: SettingFlag?
    @Option(\.drainDelay) var drainDelay: SettingFlag?
    @Option(\.shutdownTimeout) var shutdownTimeout: SettingFlag?
}
