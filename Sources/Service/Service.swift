import Container
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
        TerminationSignal.block(readsHangups: configuration.keysFile != nil)
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
            port = try start(parts)
        } catch {
            StartRefusal(error.cause ?? error)
                .announce(to: output, errors: .error, logger: log)
            return 1
        }
        StartBanner(configuration, port: Int(port))
            .announce(to: output, logger: log, isHumanReadable: isHumanReadable)
        let readsHangups = configuration.keysFile != nil
        let keeper = readsHangups ? try? parts.resolve(KeyKeeper.self) : nil
        TerminationSignal.wait(readsHangups: readsHangups) { signal in
            ServiceLog.handle(signal, log)
            if signal == .hangup { keeper?.reload() }
        }
        drain(parts, configuration, log)
        return stop(parts, configuration, log, shutdown)
    }

    /// The server listens from here on, and answers that it is starting until everything is there.
    private static func start(_ parts: Container) throws(ContainerError) -> UInt16 {
        let server: HTTPServer = try parts.resolve()
        server.start()
        do throws(ContainerError) {
            try parts.start()
        } catch {
            server.stop(until: .after(.zero))
            throw error
        }
        return server.port
    }

    /// Readiness goes 503 and all else goes on, until load balancers have noticed. A second signal
    /// ends the wait.
    private static func drain(
        _ parts: Container, _ configuration: Configuration, _ log: Logger
    ) {
        if let readiness = try? parts.resolve(Readiness.self) { readiness.beginDrain() }
        guard configuration.drainDelay > .zero else { return }
        log.notice("draining") {
            $0.add("delay_ms", configuration.drainDelay.wholeMilliseconds)
        }
        TerminationSignal.wait(until: .after(configuration.drainDelay))
    }

    /// Listening stops, requests in flight finish, the journal is flushed and
    /// what it holds is stored, all within the shutdown timeout.
    private static func stop(
        _ parts: Container, _ configuration: Configuration, _ log: Logger,
        _ shutdown: Locked<Deadline>
    ) -> Int32 {
        log.notice("stopping")
        shutdown.withLock { $0 = .after(configuration.shutdownTimeout) }
        let failures = parts.stop()
        for failure in failures { log.error("stop failed") { $0.add("error", failure) } }
        log.notice("stopped")
        return failures.isEmpty ? 0 : 1
    }
}
