import Events
import HTTPServer
import Primitives

/// What the configuration means for each part.
extension Configuration {
    /// The database of events.
    var storePath: String { dataDirectory + "/store.db" }

    var journalOptions: JournalOptions {
        JournalOptions(
            directory: dataDirectory + "/journal", maxBytes: journalMaxBytes,
            sync: journalSync == .always ? .always : .interval(journalSyncInterval))
    }

    var intakeOptions: EventIntakeOptions {
        var limits = EventLimits()
        limits.eventsPerBatch = batchEvents
        limits.eventBytes = eventLimitBytes
        limits.jsonDepth = jsonDepth
        return EventIntakeOptions(
            loops: loops, limits: limits, decompressedLimitBytes: decompressedLimitBytes,
            ackTimeout: ackTimeout)
    }

    var serverOptions: HTTPServerOptions {
        var options = HTTPServerOptions()
        options.host = host
        options.port = UInt16(port)
        options.loops = loops
        options.maxConnections = maxConnections
        options.headerLimitBytes = headerLimitBytes
        options.bodyLimitBytes = bodyLimitBytes
        options.headerTimeout = headerTimeout
        options.idleTimeout = idleTimeout
        options.bodyMinimumBytesPerSecond = bodyMinRateBytes
        options.corsOrigins = corsOrigins
        options.accessLog = accessLog
        return options
    }
}
