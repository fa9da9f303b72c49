import HTTPServer
import Primitives
import Telemetry

/// `GET` and `PUT /log-level`: how much the service says about itself, changed while it runs.
struct LogLevelRoutes: Sendable {
    private static let limitBytes = 4 << 10

    let log: Logger

    func register(on router: inout Router) {
        router.on(.get, "/log-level", access: .admin, bodyLimit: .none) { request, responder in
            answer(request, responder) { () throws(Problem) in
                _ = try request.checkedParameters([])
            }
        }
        router.on(
            .put, "/log-level", access: .admin, bodyLimit: .bytes(LogLevelRoutes.limitBytes)
        ) { request, responder in
            answer(request, responder) { () throws(Problem) in
                _ = try request.checkedParameters([])
                ServiceLog.setLevel(try LogLevelRoutes.level(request), log, by: "PUT /log-level")
            }
        }
    }

    private func answer(
        _ request: Request, _ responder: Responder, _ act: () throws(Problem) -> Void
    ) {
        do throws(Problem) {
            try act()
            var body = JSONObjectWriter()
            body.add("level", log.level.name)
            responder.respond(.json(200, body.finish()))
        } catch {
            responder.respond(error, request)
        }
    }

    private static func level(_ request: Request) throws(Problem) -> LogLevel {
        let value = try request.jsonBody(limitBytes: limitBytes, maxDepth: 2)
        guard case .object(let members) = value, members.count == 1,
            let level = value["level"]?.text.flatMap({ LogLevel(name: $0) })
        else { throw invalid }
        return level
    }

    private static let invalid = Problem(
        422, "invalid_level",
        "The body is {\"level\": \"info\"}, or trace, debug, notice, warning, error or critical.")
}
