internal import Glibc
import Primitives
import Telemetry

/// The service's own log as the configuration wants it.
enum ServiceLog {
    /// Call once in a process, whose libraries and faults it serves as well.
    /// - Throws: why the log file cannot be written. Nothing has been started then.
    static func make(_ configuration: Configuration) throws(LogSinkError) -> Logger {
        let output = StandardStream.output
        let look: LogLook =
            configuration.logFormat.isHumanReadable(on: output)
            ? .text(isColoured: output.isTerminal) : .json
        var outputs = [LogOutput(DescriptorSink(STDOUT_FILENO, name: "stdout"), look)]
        if let options = configuration.logFile {
            let file = LogFile(options)
            try file.open()
            outputs.append(LogOutput(file, .json))
        }
        if let otlp = configuration.otlp {
            outputs.append(LogOutput(OTLPLogSink(otlp), .json))
        }
        var options = LogOptions()
        options.ringBytes = configuration.logRingBytes
        options.sampling = configuration.logSampling
        options.masker = configuration.masking.masker
        let log = Logger(level: configuration.logLevel, options: options, outputs: outputs)
        log.flushOnFatalSignal()
        LibraryLogHandler.install(log)
        return log
    }

    /// SIGHUP opens the log file anew. SIGUSR1 makes the log say more, SIGUSR2 less, one level a
    /// signal.
    static func handle(_ signal: OperatorSignal, _ log: Logger) {
        switch signal {
        case .hangup: log.reopen()
        case .user1: setLevel(log.level.moreVerbose, log, by: "SIGUSR1")
        case .user2: setLevel(log.level.lessVerbose, log, by: "SIGUSR2")
        }
    }

    /// Says so at the level that is enabled before and after.
    static func setLevel(_ level: LogLevel, _ log: Logger, by cause: StaticString) {
        let before = log.level
        guard level != before else { return }
        log.setLevel(min(level, before))
        log.log(max(level, before, .notice), "the log's level was changed") {
            $0.add("from", before.name)
            $0.add("to", level.name)
            $0.add("by", cause)
        }
        log.setLevel(level)
    }
}
