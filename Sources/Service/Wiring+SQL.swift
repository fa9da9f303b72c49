import Container
import HTTPServer
import Logs
import Primitives
import Query
import Storage
import Telemetry

/// Named and ad-hoc SQL, and what is told of how callers ask.
extension Wiring {
    static func addSQL(
        to container: Container, _ configuration: Configuration, _ reports: ReportSections
    ) {
        // A worker answers no queries.
        guard configuration.role == .serve else { return }
        container.register(CostBook.self) { _ in CostBook() }
        container.register(QueryInsights.self) { parts in
            QueryInsights(ignoring: configuration.insightsIgnored, log: try parts.resolve())
        }
        container.register(SandboxPool.self, stop: { $0.close() }) { parts in
            let store: EventStore = try parts.resolve()
            let logs: LogStore? =
                configuration.logsStore == .search ? try parts.resolve(LogStore.self) : nil
            return SandboxPool(
                path: store.path, eventBytes: configuration.eventLimitBytes,
                tables: SQLTables(rollups: configuration.rollups, logs: logs?.table),
                readers: store.readers)
        }
        addNamedQueries(to: container, configuration, reports)
        container.register(SQLRoutes.self) { parts in
            var workers = WorkerRoute(
                workers: try parts.resolve(name: "query"), timeout: configuration.queryTimeout)
            workers.isLong = true
            let pool: SandboxPool = try parts.resolve()
            return SQLRoutes(
                runner: configuration.enableSQL ? SQLRunner(pool) : nil, workers: workers,
                hasKeys: configuration.keysFile != nil,
                insights: try parts.resolve(), log: try parts.resolve())
        }
        container.register(InsightRoutes.self) { parts in
            InsightRoutes(
                insights: try parts.resolve(), workers: try parts.resolve(name: "query"))
        }
        reports.add { parts in InsightsSection(insights: try parts.resolve()) }
    }

    private static func addNamedQueries(
        to container: Container, _ configuration: Configuration, _ reports: ReportSections
    ) {
        if let path = configuration.queriesDirectory {
            container.register(
                NamedQueryKeeper.self, start: { $0.start() }, stop: { $0.stop() }
            ) { parts in
                try NamedQueryKeeper(
                    path: path, timeLimit: configuration.queryTimeout, log: try parts.resolve())
            }
        }
        container.register(NamedQueryRoutes.self) { parts in
            let store: EventStore = try parts.resolve()
            let pool: SandboxPool = try parts.resolve()
            let workers: WorkerPool = try parts.resolve(name: "query")
            let queries = NamedQueries(
                SQLRunner(pool), cache: try parts.resolve(), version: store.version,
                workers: workers, costs: try parts.resolve(), timeout: configuration.queryTimeout,
                duration: try parts.resolve(name: "query"))
            return NamedQueryRoutes(
                keeper: try namedQueryKeeper(parts, configuration), queries: queries,
                insights: try parts.resolve(),
                route: QuestionRoute(workers: workers, log: try parts.resolve()))
        }
        reports.add { parts in
            NamedQueriesSection(keeper: try namedQueryKeeper(parts, configuration))
        }
    }

    /// Nil where no folder is configured.
    private static func namedQueryKeeper(
        _ parts: Container, _ configuration: Configuration
    ) throws -> NamedQueryKeeper? {
        configuration.queriesDirectory == nil ? nil : try parts.resolve(NamedQueryKeeper.self)
    }
}
