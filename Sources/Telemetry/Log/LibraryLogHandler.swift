package import Logging

/// Lets libraries that log through swift-log write to our log:
///
///     LibraryLogHandler.install(log)
///
/// A library's message is no constant of ours, so it becomes the field `text`, and its metadata
/// fields of their own names.
package struct LibraryLogHandler: LogHandler {
    package var metadata: Logging.Logger.Metadata = [:]
    package var metadataProvider: Logging.Logger.MetadataProvider?
    private let label: String
    private let log: Logger
    /// Set by the library for itself; ours otherwise, as it is at the moment.
    private var ownLevel: Logging.Logger.Level?

    /// From now on all libraries of the process log to `log`. Call once.
    package static func install(_ log: Logger) {
        LoggingSystem.bootstrap { LibraryLogHandler(label: $0, log: log) }
    }

    package init(label: String, log: Logger) {
        self.label = label
        self.log = log
    }

    package var logLevel: Logging.Logger.Level {
        get { ownLevel ?? Logging.Logger.Level(log.level) }
        set { ownLevel = newValue }
    }

    package subscript(metadataKey key: String) -> Logging.Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        log.log(LogLevel(event.level), "a library says") {
            $0.add("library", label)
            $0.add("text", event.message.description)
            for (name, value) in merged(event.metadata) { $0.add(name: name, text: "\(value)") }
            if let error = event.error { $0.add("error", error) }
        }
    }

    /// What stands closer to the call wins. In the order of the names, so that records of a kind
    /// look alike.
    private func merged(
        _ own: Logging.Logger.Metadata?
    ) -> [(key: String, value: Logging.Logger.Metadata.Value)] {
        var all = metadataProvider?.get() ?? [:]
        all.merge(metadata) { $1 }
        if let own { all.merge(own) { $1 } }
        return all.sorted { $0.key < $1.key }
    }
}

extension Logging.Logger.Level {
    fileprivate init(_ level: LogLevel) {
        switch level {
        case .trace: self = .trace
        case .debug: self = .debug
        case .info: self = .info
        case .notice: self = .notice
        case .warning: self = .warning
        case .error: self = .error
        case .critical: self = .critical
        }
    }
}

extension LogLevel {
    fileprivate init(_ level: Logging.Logger.Level) {
        switch level {
        case .trace: self = .trace
        case .debug: self = .debug
        case .info: self = .info
        case .notice: self = .notice
        case .warning: self = .warning
        case .error: self = .error
        case .critical: self = .critical
        }
    }
}
