import HTTPServer
import Primitives
import Redis
import Resilience
import Sinks
import Telemetry

/// `PUT /admin/breakers/{name}`: an operator forces a breaker open, switches it off, or lets it
/// decide for itself again.
struct BreakerRoutes: Sendable {
    private static let limitBytes = 4 << 10

    let redis: RedisClients
    let sinks: Sinks
    let log: Logger

    func register(on router: inout Router) {
        router.on(
            .put, "/admin/breakers/{name}", access: .admin,
            bodyLimit: .bytes(BreakerRoutes.limitBytes)
        ) { request, responder in
            do throws(Problem) {
                responder.respond(try put(request))
            } catch {
                responder.respond(error, request)
            }
        }
    }

    private func put(_ request: Request) throws(Problem) -> Response {
        _ = try request.checkedParameters([])
        let name = request.pathParameters.first ?? ""
        let guarded = redis.all.first { $0.status.contains { $0.lane.rawValue == name } }
        let lane = guarded?.status.first { $0.lane.rawValue == name }?.lane
        guard let breaker = lane.flatMap({ guarded?.breaker($0) }) ?? sinks.breaker(name) else {
            throw Problem(404, "unknown_breaker", "There is no breaker of that name.")
        }
        let control = try BreakerRoutes.control(request)
        breaker.apply(control, at: .now())
        log.notice("breaker set by an operator") {
            $0.add("breaker", breaker.name)
            $0.add("state", control.rawValue)
        }
        var body = JSONObjectWriter()
        body.add("name", breaker.name)
        if let status = guarded?.status.first(where: { $0.lane == lane }) {
            RedisReport.add(status, to: &body)
        } else {
            RedisReport.add(breaker.snapshot(at: .now()), to: &body)
        }
        return .json(200, body.finish())
    }

    private static func control(_ request: Request) throws(Problem) -> BreakerControl {
        let value = try request.jsonBody(limitBytes: limitBytes, maxDepth: 2)
        guard case .object(let members) = value, members.count == 1 else { throw invalid }
        switch value["state"]?.text {
        case "forced_open": return .forcedOpen
        case "disabled": return .disabled
        case "auto": return .automatic
        default: throw invalid
        }
    }

    private static let invalid = Problem(
        422, "invalid_state", "The body is {\"state\": \"forced_open\", \"disabled\" or \"auto\"}.")
}
