import Container
import HTTPServer

/// Every path the service answers.
enum Routes {
    static func router(_ parts: Container, role: ServiceRole) throws -> Router {
        var router = Router()
        if role == .serve { try addEvents(to: &router, parts) }
        let deadLetters: DeadLetterRoutes = try parts.resolve()
        let health = HealthRoutes(
            state: try parts.resolve(), status: try parts.resolve(),
            metrics: try parts.resolve())
        let breakers: BreakerRoutes = try parts.resolve()
        deadLetters.register(on: &router)
        health.register(on: &router)
        breakers.register(on: &router)
        return router
    }

    private static func addEvents(to router: inout Router, _ parts: Container) throws {
        let intake: EventIntake = try parts.resolve()
        let replay: QuarantineReplay = try parts.resolve()
        let tail: TailHub = try parts.resolve()
        let events: EventRoutes = try parts.resolve()
        let queries: QueryRoutes = try parts.resolve()
        router.on(.post, "/events") { intake.handle($0, $1) }
        events.register(on: &router)
        router.on(.get, "/events/tail") { tail.handle($0, $1) }
        router.on(.post, "/events/quarantine/replay") { replay.handle($0, $1) }
        queries.register(on: &router)
    }
}
