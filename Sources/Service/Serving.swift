import HTTPServer
import Primitives

/// The server once everything behind it is there. Started last and stopped first of all parts.
final class Serving: Sendable {
    private let server: HTTPServer
    private let application: Application
    private let readiness: Readiness
    private let state: ServiceState

    init(
        _ server: HTTPServer, _ application: Application, readiness: Readiness,
        state: ServiceState
    ) {
        self.server = server
        self.application = application
        self.readiness = readiness
        self.state = state
    }

    /// All routes are served from now on.
    func start() {
        server.serve(application)
        readiness.open(state)
    }

    /// Stops accepting, and lets requests in flight finish.
    func stop(until deadline: Deadline) { server.stop(until: deadline) }
}
