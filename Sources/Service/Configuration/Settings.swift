import HTTPServer
import Primitives
import Streams
import Telemetry

/// The one table of settings. Flags, variables, YAML keys, help, checks and `--print-config` are
/// all made from it.
///
/// To add a setting: a row here, a flag in `Commands/SettingOptions.swift`, and a field in
/// `Configuration`. A test says what is missing.
final class Settings: Sendable {
    static let table = Settings()

    // Network
    let host = Setting("host", .host, default: "127.0.0.1", "Address to listen on")
    let port = Setting(
        "port", .integer(0...65_535), default: "8080", "Port to listen on; 0 takes any free one")
    let keysFile = Setting(
        "keys-file", .optionalFile, default: "",
        "File of the keys that clients need, kept by `millrace keys`; without it nobody needs one")
    let insecureNoAuth = Setting(
        "insecure-no-auth", .switched, default: "false",
        "Listen beyond this machine although no keys are configured")
    let corsOrigins = Setting(
        "cors-origins", .origins, default: "", "Origins whose pages may call this service")
    let allowedHosts = Setting(
        "allowed-hosts", .hosts, default: "",
        "Names that clients on this machine may call a service without keys by, beside localhost")
    let maxConnections = Setting(
        "max-connections", .integer(1...1_000_000), default: "4096",
        "Connections at the same time; more are refused")
    let loops = Setting(
        "loops", .integer(1...256), default: "\((Processors.available + 1) / 2)",
        "Event loops, each a thread; one for two cores unless said otherwise")

    // Limits of requests
    let bodyLimit = Setting(
        "body-limit", .size(1 << 10...1 << 30), default: "10MiB", "Largest request body")
    let decompressedLimit = Setting(
        "decompressed-limit", .size(1 << 10...4 << 30), default: "64MiB",
        "Largest request body once it is decompressed")
    let decompressionRatio = Setting(
        "decompression-ratio", .integer(1...2000), default: "100",
        "Most bytes that one byte of a compressed body may become; not asked below 1MiB")
    let bodyMemory = Setting(
        "body-memory", .size(1 << 20...1 << 40), default: "256MiB",
        "Memory for all request bodies together; those above 16KiB are refused beyond it")
    let eventLimit = Setting(
        "event-limit", .size(256...16 << 20), default: "256KiB", "Largest event")
    let batchEvents = Setting(
        "batch-events", .integer(1...10_000_000), default: "100000", "Events in one request")
    let jsonDepth = Setting(
        "json-depth", .integer(1...1000), default: "32", "Levels of nesting in JSON")
    let headerLimit = Setting(
        "header-limit", .size(1 << 10...1 << 20), default: "32KiB", "Largest header block")
    let headerTimeout = Setting(
        "header-timeout", .duration(.milliseconds(100)...(.seconds(600))), default: "10s",
        "Time for a request's headers to arrive")
    let bodyMinRate = Setting(
        "body-min-rate", .size(0...1 << 30), default: "1KiB",
        "Bytes a second below which a request body is given up; 0 waits for ever")
    let idleTimeout = Setting(
        "idle-timeout", .duration(.milliseconds(100)...(.seconds(3600))), default: "75s",
        "Time an idle connection is kept")
    let ackTimeout = Setting(
        "ack-timeout", .duration(.milliseconds(1)...(.seconds(600))), default: "5s",
        "Time a POST waits for the acknowledgement it asked for")
    let queryTimeout = Setting(
        "query-timeout", .duration(.milliseconds(1)...(.seconds(600))), default: "5s",
        "Time a query may take")

    // Storage
    let dataDir = Setting(
        "data-dir", .directory, default: "./data", "Where journal and store are kept")
    let journalMaxBytes = Setting(
        "journal-max-bytes", .size(32 << 20...1 << 40), default: "1GiB",
        "Size of the journal; when it is full, events are refused and none dropped")
    let journalSync = Setting(
        "journal-sync", ValueForm<JournalSync>.choice, default: "always",
        "always: an event is on disk before it is acknowledged; interval: soon after")
    let journalSyncInterval = Setting(
        "journal-sync-interval", .duration(.milliseconds(1)...(.seconds(60))), default: "100ms",
        "Time between syncs with --journal-sync interval: what a power cut may cost")
    let retention = Setting(
        "retention", .retention, default: "off",
        "Age, by their own time, at which events are deleted; by type: 90d,http.*=7d,order.*=off")
    let readers = Setting(
        "readers", .integer(1...64), default: "2", "Connections that read the store")
    let cacheMemory = Setting(
        "cache-memory", .size(1 << 20...1 << 40), default: "128MiB",
        "Memory for the answers to queries; the least useful ones make room")

    // Queries
    let queriesDir = Setting(
        "queries-dir", .optionalFile, default: "",
        "Folder of named queries, a .sql file each, for /query/named")
    let enableSQL = Setting(
        "enable-sql", .switched, default: "false",
        "Answer SQL that clients with the scope query:sql write, at /query/sql")
    let insightsIgnore = Setting(
        "insights-ignore", .exemptions, default: "",
        "What /query/insights leaves out: fingerprints, key:NAME, query:NAME")

    // Redis
    let redisURL = Setting(
        "redis-url", .redisURL, default: "", isSecret: true,
        "Redis whose streams carry events between nodes; without it events stay on this node")
    let cacheRedisURL = Setting(
        "cache-redis-url", .redisURL, default: "", isSecret: true,
        "Redis in which nodes share answers to queries; otherwise that of --redis-url")
    let node = Setting(
        "node", .nodeName, default: "", "This node's name; the host's unless said otherwise")
    let group = Setting(
        "group", .nodeName, default: "",
        "Consumer group that fills this node's store; the node's name unless said otherwise")
    let partitions = Setting(
        "partitions", .integer(1...64), default: "4",
        "Streams that events are spread over, the same on every node")
    let streamEncoding = Setting(
        "stream-encoding", ValueForm<StreamOptions.Encoding>.choice, default: "entry",
        "entry: an event an entry, readable by any client; frame: a compressed batch an entry")
    let streamMaxBytes = Setting(
        "stream-max-bytes", .size(1 << 20...1 << 40), default: "1GiB",
        "Memory of all streams above which the oldest entries go, read or not")
    let streamMaxAge = Setting(
        "stream-max-age", .durationOrOff(.seconds(1)...(.seconds(86_400 * 3650))), default: "off",
        "Age at which entries go, read or not")
    let streamClaimAfter = Setting(
        "stream-claim-after", .duration(.milliseconds(100)...(.seconds(3600))), default: "30s",
        "Time after which entries that another consumer of the group has left are taken over")
    let streamConsumerMaxIdle = Setting(
        "stream-consumer-max-idle", .duration(.seconds(1)...(.seconds(86_400 * 365))),
        default: "1h",
        "Time after which an idle consumer with nothing pending is removed from its group")

    // Logging
    let logLevel = Setting("log-level", .level, default: "info", "Least level that is logged")
    let logFormat = Setting(
        "log-format", ValueForm<LogFormat>.choice, default: "auto",
        "auto: text on a terminal, JSON elsewhere")
    let logFile = Setting(
        "log-file", .optionalFile, default: "",
        "File that log records go to as JSON, beside stdout")
    let logFileMaxBytes = Setting(
        "log-file-max-bytes", .size(64 << 10...1 << 40), default: "100MiB",
        "Size above which the log file is put aside and compressed")
    let logFileMaxAge = Setting(
        "log-file-max-age", .durationOrOff(.seconds(1)...(.seconds(86_400 * 3650))),
        default: "off", "Age of its first record at which the log file is put aside")
    let logFileKeep = Setting(
        "log-file-keep", .integer(0...100_000), default: "10",
        "Log files put aside that are kept; the oldest go first")
    let logFileKeepBytes = Setting(
        "log-file-keep-bytes", .size(0...1 << 50), default: "1GiB",
        "Size of all log files put aside; the oldest go first")
    let logFileKeepAge = Setting(
        "log-file-keep-age", .durationOrOff(.seconds(1)...(.seconds(86_400 * 3650))),
        default: "off", "Time after which log files put aside are removed")
    let logRingBytes = Setting(
        "log-ring-bytes", .size(64 << 10...1 << 30), default: "640KiB",
        "Log records of one thread that may wait to be written; there are at most 17 such rings")
    let logSampleFirst = Setting(
        "log-sample-first", .integer(0...1_000_000), default: "0",
        "Records of a message and level below error that are all kept, a second; 0 keeps all")
    let logSampleEvery = Setting(
        "log-sample-every", .integer(1...1_000_000), default: "100",
        "Beyond --log-sample-first each so-manieth record is kept")
    let accessLog = Setting(
        "access-log", ValueForm<AccessLog.Mode>.choice, default: "errors",
        "Requests that get a log record")
    let otlpEndpoint = Setting(
        "otlp-endpoint", .otlpEndpoint, default: "",
        "OTLP/HTTP endpoint that this service's own log is sent to, without v1/logs")
    let otlpHeaders = Setting(
        "otlp-headers", .headers, default: "", isSecret: true,
        "Headers of requests to --otlp-endpoint, such as authorization=Bearer TOKEN")

    // Logs of others
    let logsStore = Setting(
        "logs-store", ValueForm<LogsStoreMode>.choice, default: "search",
        "What becomes of logs sent here: search keeps them searchable, files as lines of JSON; off "
            + "takes none")
    let logsRetention = Setting(
        "logs-retention", .logsRetention, default: "off",
        "Age, by their own time, at which a day of logs is dropped; by service: 30d,noisy=2d")
    let logsMaxBytes = Setting(
        "logs-max-bytes", .size(16 << 20...1 << 50), default: "10GiB",
        "Size of all stored logs; beyond it the oldest days go, then none are taken until a day ends"
    )
    let logsQueueBytes = Setting(
        "logs-queue-bytes", .size(1 << 20...1 << 36), default: "64MiB",
        "Logs that may wait to be written; beyond it they are refused")
    // Masking
    let maskMode = Setting(
        "mask-mode", ValueForm<MaskMode>.choice, default: "balanced",
        "strict: weak shapes count without a word near them that says what they are")
    let maskAllow = Setting(
        "mask-allow", .list, default: "", "Values that are never masked, as whole matches")
    let maskHashKey = Setting(
        "mask-hash-key", .optionalText, default: "", isSecret: true,
        "Key of the form hash, at least 16 bytes; better in the environment or a file than a flag")
    let maskHashKeyFile = Setting(
        "mask-hash-key-file", .optionalFile, default: "", "File that holds the key of the form hash"
    )
    let maskHashKeyID = Setting(
        "mask-hash-key-id", .keyID, default: "k1",
        "Name of that key, which stands in each hash so that keys can be changed")
    let maskEventsTypes = Setting(
        "mask-events-types", SinkForms.types, default: "",
        "Event types whose data is masked before it is journaled, such as web.* or *; none otherwise"
    )
    let maskEventsClasses = Setting(
        "mask-events-classes", .list, default: "",
        "Classes and rules that are masked in the data of events; all unless said otherwise")

    // Process
    let config = Setting(
        "config", .optionalFile, default: "", "YAML file with settings; flags and variables win")
    let drainDelay = Setting(
        "drain-delay", .duration(.zero...(.seconds(3600))), default: "0s",
        "Time to serve on after SIGTERM with /readyz at 503, for load balancers to notice")
    let shutdownTimeout = Setting(
        "shutdown-timeout", .duration(.milliseconds(100)...(.seconds(3600))), default: "30s",
        "Time for requests in flight to finish after SIGTERM")

    /// Every row, in the order above. Found by reflection, so that none can be forgotten in a
    /// second list; costs some microseconds, at start only.
    var rows: [SettingRow] {
        Mirror(reflecting: self).children.compactMap { ($0.value as? any SettingDeclaration)?.row }
    }
}
