import Cache
import Container
import HTTPServer
import Ingest
import Journal
import Primitives
import Query
import Redis
import Storage
import Streams
import Telemetry

/// The one place where the service is put together: what there is, and what each part is given.
/// The container makes parts in the order in which they ask for each other, starts them in that
/// order and stops them in reverse.
enum Wiring {
    /// Large bodies that may wait for a worker: 64 of 10 MiB, beside what the loops hold.
    private static let intakeQueueLimit = 64
    /// Queries of all callers that may wait for a worker.
    private static let queryQueueLimit = 1024
    /// The same of one caller; at 4 workers and 10 ms each the last waits 0.6 s.
    private static let queryOwnerLimit = 256
    /// Readers that no long question borrows to be quicker.
    private static let sparedReaders = 1
    /// Time for replays of the quarantine and of dead letters.
    private static let replayTimeout = Duration.seconds(30)
    /// Replays at once, and those that may wait. Queries have threads of their own.
    private static let replayThreads = 2

    static func container(
        _ configuration: Configuration, log: Logger, shutdown: Locked<Deadline>
    ) -> Container {
        let container = Container()
        let reports = ReportSections()
        container.register(Logger.self) { _ in log }
        let started = MonotonicTime.now()
        reports.add { parts in ProcessSection(started: started, readiness: try parts.resolve()) }
        addMasking(to: container, configuration, reports)
        addStorage(to: container, configuration)
        addRollups(to: container, configuration, reports)
        addKeys(to: container, configuration)
        addStreams(to: container, configuration, shutdown)
        addWriter(to: container, configuration, shutdown, reports)
        addSinks(to: container, configuration, shutdown, reports)
        addIntake(to: container, configuration, reports)
        addQueries(to: container, configuration, reports)
        addCache(to: container, configuration, reports)
        addSQL(to: container, configuration, reports)
        addErasures(to: container, configuration, reports)
        addLogs(to: container, configuration, reports)
        addOTLP(to: container, configuration, shutdown, reports)
        addReports(to: container, configuration, reports)
        addServer(to: container, configuration, shutdown, reports)
        return container
    }

    private static func addStorage(to container: Container, _ configuration: Configuration) {
        let directory = configuration.dataDirectory
        container.register(DataDirectoryLock.self) { _ in
            try DataDirectoryLock(directory: directory)
        }
        container.register(EventStore.Opened.self) { parts in
            // Nobody else may have the files open from here on.
            let _: DataDirectoryLock = try parts.resolve()
            var options = EventStoreOptions()
            options.readerCount = configuration.readers + sparedReaders
            options.sparedReaders = sparedReaders
            options.syncsCommits = configuration.redisURL != nil
            options.keepsErasureMatchers = configuration.redisURL != nil
            let rollups = try rollups(parts, configuration)
            options.derived = rollups
            let opened = try EventStore.openSettingAside(
                path: configuration.storePath, now: WallClock.nowMilliseconds(),
                log: try parts.resolve(), options: options)
            for chore in rollups?.chores ?? [] { opened.store.add(chore) }
            return opened
        }
        container.register(EventStore.self) { parts in
            try parts.resolve(EventStore.Opened.self).store
        }
        container.register(Journal.self, stop: { $0.close() }) { parts in
            let store: EventStore = try parts.resolve()
            // New events are beyond what the store has, and beyond the barriers of erasures, also when
            // the journal was lost.
            let barrier = store.erasures.erasures.map(\.barrier).max() ?? 0
            return try Journal(
                options: configuration.journalOptions,
                minimumNextSequence: max(store.position, barrier) + 1,
                consumers: configuration.journalConsumers, log: try parts.resolve())
        }
    }

    /// Nothing, unless there is a Redis.
    private static func addStreams(
        to container: Container, _ configuration: Configuration, _ shutdown: Locked<Deadline>
    ) {
        guard let url = configuration.redisURL else { return }
        container.register(
            EventStreams.self, start: { $0.start() },
            stop: { $0.stop(until: shutdown.withLock { $0 }) }
        ) { parts in
            let log: Logger = try parts.resolve()
            let redis = GuardedRedis(
                url, lanes: [.streams, .consumer], clientName: "millrace-\(configuration.node)",
                logger: log)
            return try EventStreams(
                configuration.streamOptions, redis: redis, journal: try parts.resolve(),
                store: try parts.resolve(), directory: configuration.dataDirectory,
                journalMaxBytes: configuration.journalMaxBytes, log: log)
        }
        container.register(PositionWaiters.self, name: "streamed", stop: { $0.close() }) { parts in
            let forwarder = try parts.resolve(EventStreams.self).forwarder
            let waiters = PositionWaiters(reached: forwarder.forwardedSequence)
            forwarder.onForwarded { waiters.reached($0) }
            return waiters
        }
    }

    /// What was registered under that name only if there is a Redis.
    static func ifStreaming<Value>(
        _ parts: Container, _ configuration: Configuration, _ type: Value.Type = Value.self,
        name: String? = nil
    ) throws -> Value? {
        configuration.redisURL == nil ? nil : try parts.resolve(Value.self, name: name)
    }

    private static func addWriter(
        to container: Container, _ configuration: Configuration, _ shutdown: Locked<Deadline>,
        _ reports: ReportSections
    ) {
        reports.add { parts in
            JournalSection(
                journal: try parts.resolve(), store: try parts.resolve(),
                streams: try ifStreaming(parts, configuration),
                maxBytes: configuration.journalMaxBytes)
        }
        reports.add { parts in
            StoreSection(
                opened: try parts.resolve(), journal: try parts.resolve(),
                writer: try parts.resolve())
        }
        container.register(
            EventWriter.self, start: { $0.start() },
            stop: { $0.stop(until: shutdown.withLock { $0 }) }
        ) { parts in
            EventWriter(
                journal: try parts.resolve(), store: try parts.resolve(),
                retention: configuration.retention,
                journalMaxBytes: configuration.journalMaxBytes,
                streams: try ifStreaming(parts, configuration), log: try parts.resolve())
        }
    }

    private static func addIntake(
        to container: Container, _ configuration: Configuration, _ reports: ReportSections
    ) {
        reports.add { parts in
            EventsSection(
                intake: try parts.resolve(), writer: try parts.resolve(),
                tail: try parts.resolve())
        }
        container.register(WorkerPool.self, name: "intake", stop: { $0.close() }) { _ in
            WorkerPool(
                name: "intake", threads: Processors.available, queueLimit: intakeQueueLimit)
        }
        container.register(PositionWaiters.self, name: "stored", stop: { $0.close() }) { parts in
            // Waiters are answered by the writer's commits, so it must outlive them.
            let _: EventWriter = try parts.resolve()
            let store: EventStore = try parts.resolve()
            let waiters = PositionWaiters(reached: store.position)
            _ = store.onCommit { waiters.reached($0.position) }
            return waiters
        }
        container.register(PositionWaiters.self, name: "quarantine", stop: { $0.close() }) {
            parts in
            let _: EventWriter = try parts.resolve()
            let store: EventStore = try parts.resolve()
            let waiters = PositionWaiters(reached: 0)
            store.quarantine.onKept { waiters.reached($0) }
            return waiters
        }
        container.register(EventIntake.self) { parts in
            EventIntake(
                journal: try parts.resolve(), store: try parts.resolve(),
                workers: try parts.resolve(name: "intake"),
                storedWaiters: try parts.resolve(name: "stored"),
                streamedWaiters: try ifStreaming(parts, configuration, name: "streamed"),
                quarantineWaiters: try parts.resolve(name: "quarantine"),
                writer: try parts.resolve(),
                options: configuration.intakeOptions)
        }
        container.register(QuarantineReplay.self) { parts in
            QuarantineReplay(
                journal: try parts.resolve(), store: try parts.resolve(),
                limits: configuration.intakeOptions.limits,
                masking: configuration.masking.events)
        }
    }

    private static func addQueries(
        to container: Container, _ configuration: Configuration, _ reports: ReportSections
    ) {
        reports.add { parts in QuerySection(duration: try parts.resolve(name: "query")) }
        container.register(WorkerPool.self, name: "query", stop: { $0.close() }) { _ in
            WorkerPool(
                name: "query", threads: configuration.queryWorkers, queueLimit: queryQueueLimit,
                ownerLimit: queryOwnerLimit, stackBytes: Thread.deepStackBytes)
        }
        container.register(WorkerRoute.self, name: "query") { parts in
            WorkerRoute(
                workers: try parts.resolve(name: "query"), timeout: configuration.queryTimeout)
        }
        container.register(WorkerPool.self, name: "replay", stop: { $0.close() }) { _ in
            WorkerPool(name: "replay", threads: replayThreads, queueLimit: replayThreads)
        }
        container.register(WorkerRoute.self, name: "replay") { parts in
            WorkerRoute(
                workers: try parts.resolve(name: "replay"), timeout: replayTimeout,
                refusal: .replaysRunning)
        }
        container.register(Histogram.self, name: "query") { _ in Histogram() }
        container.register(QueryRoutes.self) { parts in
            let store: EventStore = try parts.resolve()
            let workers: WorkerPool = try parts.resolve(name: "query")
            let queries = CachedQueries(
                QueryService(store.readers, rollups: configuration.rollups),
                cache: try parts.resolve(), version: store.version,
                workers: workers, timeout: configuration.queryTimeout,
                duration: try parts.resolve(name: "query"), buckets: try parts.resolve(),
                costs: try parts.resolve())
            return QueryRoutes(
                queries: queries, insights: try parts.resolve(),
                route: QuestionRoute(workers: workers, log: try parts.resolve()))
        }
        container.register(EventRoutes.self) { parts in
            EventRoutes(
                store: try parts.resolve(), readers: try parts.resolve(name: "query"),
                log: try parts.resolve())
        }
        container.register(
            TailHub<EventTailSource>.self, start: { $0.start() }, stop: { $0.close() }
        ) { parts in
            let authorizer = try keyAuthorizer(parts, configuration)
            return TailHub(
                EventTailSource(try parts.resolve(), log: try parts.resolve()),
                isValid: { authorizer?.isValid($0) ?? true })
        }
    }

    private static func addReports(
        to container: Container, _ configuration: Configuration, _ reports: ReportSections
    ) {
        container.register(RedisClients.self) { try redisClients($0, configuration) }
        container.register(ServiceState.self) { parts in
            ServiceState(
                journal: try parts.resolve(), store: try parts.resolve(),
                writer: try parts.resolve(), redis: try parts.resolve())
        }
        container.register(BreakerRoutes.self) { parts in
            BreakerRoutes(
                redis: try parts.resolve(), sinks: try parts.resolve(), log: try parts.resolve())
        }
        reports.add { parts in RedisSection(clients: try parts.resolve()) }
        reports.add { parts in try keyReport(parts, configuration) }
        reports.add { parts in LoggerSection(log: try parts.resolve()) }
        container.register(Reports.self) { try reports.reports($0) }
    }

    private static func addServer(
        to container: Container, _ configuration: Configuration, _ shutdown: Locked<Deadline>,
        _ reports: ReportSections
    ) {
        reports.add { parts in
            HTTPSection(server: try parts.resolve(), configuration: configuration)
        }
        container.register(Readiness.self) { _ in Readiness() }
        container.register(ReadinessRoutes.self) { parts in
            ReadinessRoutes(readiness: try parts.resolve())
        }
        // Made and started before everything else, so that early clients are told to wait; `Serving`
        // gives it its routes and stops it.
        container.register(HTTPServer.self) { parts in
            // Two services on one directory are told apart by that, and not by their port.
            let _: DataDirectoryLock = try parts.resolve()
            let readiness: ReadinessRoutes = try parts.resolve()
            return try HTTPServer(
                options: configuration.serverOptions, log: try parts.resolve(),
                Application(
                    readiness.router, authorize: try authorizer(parts, configuration)))
        }
        container.register(Router.self) { parts in
            try Routes.router(
                parts, role: configuration.role, logs: configuration.logsStore)
        }
        container.register(
            Serving.self, start: { $0.start() }, stop: { $0.stop(until: shutdown.withLock { $0 }) }
        ) { parts in
            let intake: EventIntake = try parts.resolve()
            let application = Application(
                try parts.resolve(), authorize: try authorizer(parts, configuration),
                readmit: try readmission(parts, configuration),
                onPassEnd: { intake.passEnded($0) })
            return Serving(
                try parts.resolve(), application, readiness: try parts.resolve(),
                state: try parts.resolve())
        }
    }

    /// Keys say who may do what. Without keys everybody may do everything, but for pages of other
    /// sites.
    private static func authorizer(
        _ parts: Container, _ configuration: Configuration
    ) throws -> Authorizer {
        if let keys = try keyAuthorizer(parts, configuration) {
            return { (request, access) throws(Problem) in try keys.authorize(request, access) }
        }
        let browsers = BrowserGuard(configuration)
        return { (request, _) throws(Problem) in
            try browsers.check(request)
            return .anonymous
        }
    }
}
