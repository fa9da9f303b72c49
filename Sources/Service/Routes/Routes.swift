import Container
import HTTPServer

/// Every path the service answers.
enum Routes {
    static func router(
        _ parts: Container, role: ServiceRole, logs: LogsStoreMode
    ) throws -> Router {
        let readiness: ReadinessRoutes = try parts.resolve()
        var router = readiness.router
        router.absence = Router().absence
        let events: EventRoutes = try parts.resolve()
        switch role {
        case .serve:
            events.register(on: &router)
            try addEvents(to: &router, parts, logs: logs)
        case .worker: events.registerQuarantine(on: &router)
        }
        let deadLetters: DeadLetterRoutes = try parts.resolve()
        let health = HealthRoutes(reports: try parts.resolve())
        let breakers: BreakerRoutes = try parts.resolve()
        deadLetters.register(on: &router)
        health.register(on: &router)
        LogLevelRoutes(log: try parts.resolve()).register(on: &router)
        breakers.register(on: &router)
        if role == .worker {
            router.absence.detail =
                "This is a worker: it takes no events and answers no queries. It serves "
                + router.templates.joined(separator: ", ") + "."
        }
        return router
    }

    private static func addEvents(
        to router: inout Router, _ parts: Container, logs: LogsStoreMode
    ) throws {
        let intake: EventIntake = try parts.resolve()
        let replay: QuarantineReplay = try parts.resolve()
        let tail: TailHub<EventTailSource> = try parts.resolve()
        let replays: WorkerRoute = try parts.resolve(name: "replay")
        let queries: QueryRoutes = try parts.resolve()
        router.on(.post, "/events", access: .eventsWrite, bodyLimit: .standard) {
            intake.handle($0, $1)
        }
        router.on(.get, "/events/tail", access: .eventsRead, bodyLimit: .none) {
            tail.handle($0, $1)
        }
        router.on(
            .post, "/events/quarantine/replay", access: .admin, bodyLimit: .none,
            replays.handler { (request) throws(Problem) in try replay.job(request) })
        queries.register(on: &router)
        if logs != .off {
            try parts.resolve(LogIntakeRoute.self).register(on: &router)
            try parts.resolve(OTLPLogIntake.self).register(on: &router)
        }
        if logs == .search { try parts.resolve(LogRoutes.self).register(on: &router) }
        let cache: CacheRoutes = try parts.resolve()
        cache.register(on: &router)
        let rollups: RollupRoutes = try parts.resolve()
        rollups.register(on: &router)
        try parts.resolve(ErasureRoutes.self).register(on: &router)
        try addSQL(to: &router, parts)
    }

    private static func addSQL(to router: inout Router, _ parts: Container) throws {
        let named: NamedQueryRoutes = try parts.resolve()
        let sql: SQLRoutes = try parts.resolve()
        let insights: InsightRoutes = try parts.resolve()
        named.register(on: &router)
        sql.register(on: &router)
        insights.register(on: &router)
    }
}
