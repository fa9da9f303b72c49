import Container
import Journal
import Logs
import Masking
import Primitives
import Telemetry

/// Logs that others send.
extension Wiring {
    /// Large bodies that may wait for a worker; each holds at most its share of the body memory.
    private static let logQueueLimit = 32
    /// Their workers give way to event loops, the journal and queries.
    private static let logNiceness: Int32 = 5

    /// Nothing, if no logs are taken; a worker takes none.
    static func addLogs(
        to container: Container, _ configuration: Configuration, _ reports: ReportSections
    ) {
        guard configuration.role == .serve else { return }
        switch configuration.logsStore {
        case .off: return
        case .search: addLogSearch(to: container, configuration, reports)
        case .files: addLogFiles(to: container, configuration, reports)
        }
        container.register(WorkerPool.self, name: "logs", stop: { $0.close() }) { parts in
            // What a worker has read goes to the store.
            let _: LogIntake = try parts.resolve()
            return WorkerPool(
                name: "logs", threads: max(1, Processors.available / 2),
                queueLimit: logQueueLimit, priority: .yielding(logNiceness))
        }
        container.register(LogIntakeRoute.self) { parts in
            LogIntakeRoute(
                try parts.resolve(), workers: try parts.resolve(name: "logs"),
                loops: configuration.loops,
                inflateLimits: configuration.intakeOptions.inflateLimits)
        }
    }

    private static func addLogSearch(
        to container: Container, _ configuration: Configuration, _ reports: ReportSections
    ) {
        container.register(LogStore.self, start: { $0.start() }, stop: { $0.stop() }) { parts in
            // Nobody else may have the files open.
            let _: DataDirectoryLock = try parts.resolve()
            return try LogStore(
                directory: configuration.logsDirectory, configuration.logStoreOptions,
                log: try parts.resolve())
        }
        container.register(LogIntake.self) { parts in
            let store: LogStore = try parts.resolve()
            return LogIntake(
                masker: configuration.masking.masker, limits: configuration.logLimits,
                destination: { store.offer($0) }, isFull: { store.isFull },
                isAtCap: { store.isAtCap },
                followers: try logFollowers(parts))
        }
        container.register(
            TailHub<LogTailSource>.self, start: { $0.start() }, stop: { $0.close() }
        ) { parts in
            let authorizer = try keyAuthorizer(parts, configuration)
            return TailHub(
                LogTailSource(try parts.resolve(), log: try parts.resolve()),
                isValid: { authorizer?.isValid($0) ?? true })
        }
        container.register(LogRoutes.self) { parts in
            LogRoutes(
                store: try parts.resolve(), tail: try parts.resolve(),
                forwards: try parts.resolve(),
                readers: try parts.resolve(name: "query"), log: try parts.resolve())
        }
        reports.add { parts in
            let store: LogStore = try parts.resolve()
            return LogsSection(
                intake: try parts.resolve(), store: store.counters, queued: { store.queued },
                tail: try parts.resolve(TailHub<LogTailSource>.self))
        }
    }

    private static func addLogFiles(
        to container: Container, _ configuration: Configuration, _ reports: ReportSections
    ) {
        container.register(LogFileStore.self, start: { $0.start() }, stop: { $0.stop() }) { parts in
            // Nobody else may write to the files.
            let _: DataDirectoryLock = try parts.resolve()
            return try LogFileStore(
                directory: configuration.logsDirectory, configuration.logStoreOptions,
                log: try parts.resolve())
        }
        container.register(LogIntake.self) { parts in
            let store: LogFileStore = try parts.resolve()
            return LogIntake(
                masker: configuration.masking.masker, limits: configuration.logLimits,
                destination: { store.offer($0) }, isFull: { store.isFull },
                isAtCap: { store.isAtCap },
                followers: try logFollowers(parts))
        }
        reports.add { parts in
            let store: LogFileStore = try parts.resolve()
            return LogsSection(
                intake: try parts.resolve(), store: store.counters, queued: { store.queued },
                tail: nil)
        }
    }
}
