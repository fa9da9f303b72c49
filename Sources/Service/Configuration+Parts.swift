import Cache
import EventCoding
import HTTPServer
import Ingest
import Journal
import Logs
import Primitives
import Redis
import Streams

/// What the configuration means for each part.
extension Configuration {
    /// What is kept of the journal although nobody needs it, to be sent again should Redis lose it:
    /// an eighth of the cap, 128 MiB unless it was changed.
    private var journalRetainBytes: Int {
        redisURL == nil ? 0 : min(128 << 20, journalMaxBytes / 8)
    }

    /// When keys were used last.
    var keyUsagePath: String { KeyUsage.path(inDataDirectory: dataDirectory) }

    /// What waits to be forwarded, a folder for each receiver.
    var logForwardsPath: String { dataDirectory + "/log-forwards" }

    /// The database of events.
    var storePath: String { dataDirectory + "/store.db" }

    var journalOptions: JournalOptions {
        JournalOptions(
            directory: dataDirectory + "/journal", maxBytes: journalMaxBytes,
            retainBytes: journalRetainBytes,
            sync: journalSync == .always ? .always : .interval(journalSyncInterval))
    }

    /// Who calls `Journal.release`.
    var journalConsumers: [String] {
        redisURL == nil
            ? [EventWriter.consumer] : [EventWriter.consumer, StreamForwarder.consumer]
    }

    /// Where queries' answers are shared; a worker answers none.
    var queryCacheRedisURL: RedisURL? {
        role == .worker ? nil : cacheRedisURL ?? redisURL
    }

    /// Threads that answer questions: two at the least, so that a long question never has all.
    var queryWorkers: Int { max(2, readers) }

    var cacheOptions: CacheOptions {
        var options = CacheOptions()
        options.memoryBytes = cacheMemoryBytes
        options.flightTimeout = queryTimeout
        // Computing any answer wakes a worker, which takes longer than to find it.
        options.leastCost = .zero
        return options
    }

    var streamOptions: StreamOptions {
        var options = StreamOptions(node: node, group: group)
        options.partitions = partitions
        options.encoding = streamEncoding
        options.maxBytes = streamMaxBytes
        options.maxAge = streamMaxAge
        options.claimAfter = streamClaimAfter
        options.consumerMaxIdle = streamConsumerMaxIdle
        options.expectedGroups = sinks.map(\.streamGroup)
        options.anonymousSource = IntakeLane.anonymousSource
        options.masking = masking.events
        return options
    }

    var intakeOptions: EventIntakeOptions {
        var limits = EventLimits()
        limits.eventsPerBatch = batchEvents
        limits.eventBytes = eventLimitBytes
        limits.jsonDepth = jsonDepth
        return EventIntakeOptions(
            loops: loops, limits: limits,
            inflateLimits: Inflate.Limits(
                outputBytes: decompressedLimitBytes, ratio: decompressionRatio),
            ackTimeout: ackTimeout, masking: masking.events)
    }

    /// The files of logs.
    var logsDirectory: String { dataDirectory + "/logs" }

    var logStoreOptions: LogStoreOptions {
        var options = LogStoreOptions()
        options.retention = logsRetention
        options.maxBytes = Int64(logsMaxBytes)
        options.queueBytes = logsQueueBytes
        return options
    }

    var logLimits: LogLimits {
        var limits = LogLimits()
        limits.jsonDepth = jsonDepth
        return limits
    }

    var serverOptions: HTTPServerOptions {
        var options = HTTPServerOptions()
        options.host = host
        options.port = UInt16(port)
        options.loops = loops
        options.maxConnections = DescriptorLimit.connections(
            maxConnections, limit: DescriptorLimit.highest)
        options.headerLimitBytes = headerLimitBytes
        options.bodyLimitBytes = bodyLimitBytes
        options.bodyMemoryBytes = bodyMemoryBytes
        options.inflatingBytes = decompressedLimitBytes
        options.headerTimeout = headerTimeout
        options.idleTimeout = idleTimeout
        options.bodyMinimumBytesPerSecond = bodyMinRateBytes
        options.corsOrigins = corsOrigins
        options.accessLog = accessLog
        options.masker = masking.masker
        return options
    }
}
