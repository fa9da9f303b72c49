import Container
import Journal
import Logs
import Primitives
import Telemetry

/// `POST /v1/logs`, and taken-in logs on their way to others.
extension Wiring {
    /// Nothing, if no logs are taken; a worker takes none.
    static func addOTLP(
        to container: Container, _ configuration: Configuration, _ shutdown: Locked<Deadline>,
        _ reports: ReportSections
    ) {
        guard configuration.role == .serve, configuration.logsStore != .off else { return }
        container.register(
            LogForwards.self, start: { $0.start() },
            stop: { $0.stop(until: shutdown.withLock { $0 }) }
        ) { parts in
            // Nobody else may have the spools open.
            let _: DataDirectoryLock = try parts.resolve()
            return try LogForwards(
                configuration.logForwards, directory: configuration.logForwardsPath,
                userAgent: "millrace/\(Version.current)", log: try parts.resolve())
        }
        reports.add { parts in LogForwardsSection(forwards: try parts.resolve()) }
        container.register(OTLPLogIntake.self) { parts in
            OTLPLogIntake(
                try parts.resolve(), workers: try parts.resolve(name: "logs"),
                inflateLimits: configuration.intakeOptions.inflateLimits)
        }
    }

    /// Who is shown what was taken in.
    static func logFollowers(_ parts: Container) throws -> [LogIntake.Follower] {
        let forwards: LogForwards = try parts.resolve()
        return forwards.isEmpty ? [] : [{ forwards.offer($0) }]
    }
}
