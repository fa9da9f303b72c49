import Container
import Events
import HTTPServer
import Primitives
import Telemetry

/// The running service.
package enum Service {
    /// The program: reads the command line, does what it says, and ends the process.
    package static func main() -> Never {
        MillraceCommand.main(NegativeValues.joined(CommandLine.arguments.dropFirst()))
        MillraceCommand.exit()
    }

    /// For what is logged at the very end; a pipe that nobody reads is given up after it.
    private static let logCloseTimeout = Duration.seconds(5)

    /// Runs until SIGTERM or SIGINT, on the calling thread.
    /// - Returns: the process's exit code.
    package static func run(_ configuration: Configuration) -> Int32 {
        TerminationSignal.block()
        let output = StandardStream.output
        let isHumanReadable = configuration.logFormat.isHumanReadable(on: output)
        let log: Logger
        do throws(LogSinkError) { log = try ServiceLog.make(configuration) } catch {
            StandardStream.error.write(
                "millrace cannot start: the log file: \(error)\n--log-file names another.\n")
            return 1
        }
        defer { log.close(within: logCloseTimeout) }
        DescriptorLimit.raise()
        if let complaint = DescriptorLimit.complaint(configuration) {
            log.warning("too few open files are allowed") { $0.add("detail", complaint) }
        }
        let shutdown = Locked(Deadline.never)
        let parts = Wiring.container(configuration, log: log, shutdown: shutdown)
        let port: UInt16
        do throws(ContainerError) {
            try parts.start()
            let server: HTTPServer = try parts.resolve()
            port = server.port
        } catch {
            StartRefusal(error.cause ?? error)
                .announce(to: output, errors: .error, logger: log)
            return 1
        }
        StartBanner(configuration, port: Int(port))
            .announce(to: output, logger: log, isHumanReadable: isHumanReadable)
        TerminationSignal.wait { ServiceLog.handle($0, log) }
        return stop(parts, configuration, log, shutdown)
    }

    /// Readiness goes 503, listening stops, requests in flight finish, the journal is flushed and
    /// what it holds is stored, all within the shutdown timeout.
    private static func stop(
        _ parts: Container, _ configuration: Configuration, _ log: Logger,
        _ shutdown: Locked<Deadline>
    ) -> Int32 {
        log.notice("stopping")
        shutdown.withLock { $0 = .after(configuration.shutdownTimeout) }
        if let state = try? parts.resolve(ServiceState.self) { state.beginDrain() }
        let failures = parts.stop()
        for failure in failures { log.error("stop failed") { $0.add("error", failure) } }
        log.notice("stopped")
        return failures.isEmpty ? 0 : 1
    }
}
