import Telemetry

/// The running service.
package enum Service {
    /// The program: reads the command line, does what it says, and ends the process.
    package static func main() -> Never {
        MillraceCommand.main()
        MillraceCommand.exit()
    }

    /// Runs until SIGTERM or SIGINT, on the calling thread.
    /// - Returns: the process's exit code.
    package static func run(_ configuration: Configuration) -> Int32 {
        TerminationSignal.block()
        let output = StandardStream.output
        let isHumanReadable = configuration.logFormat.isHumanReadable(on: output)
        let logger = Logger(level: configuration.logLevel, isHumanReadable: isHumanReadable) {
            output.write($0)
        }
        StartBanner(configuration, port: configuration.port)
            .announce(to: output, logger: logger, isHumanReadable: isHumanReadable)
        TerminationSignal.wait()
        logger.close()
        return 0
    }
}
