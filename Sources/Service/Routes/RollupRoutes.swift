import HTTPServer
import Ingest
import Primitives
import Query
import Storage
import Telemetry

/// `GET /admin/rollups`, how far each is, and `POST /admin/rollups/{name}/rebuild`, which makes one
/// anew from the events.
struct RollupRoutes: Sendable {
    let rollups: RollupSet
    let store: EventStore
    let writer: EventWriter
    let readers: WorkerRoute
    let log: Logger

    func register(on router: inout Router) {
        router.on(
            .get, "/admin/rollups", access: .admin, bodyLimit: .none,
            readers.handler { (request) throws(Problem) in try list(request) })
        router.on(.post, "/admin/rollups/{name}/rebuild", access: .admin, bodyLimit: .none) {
            request, responder in
            do throws(Problem) {
                responder.respond(try rebuild(request))
            } catch {
                responder.respond(error, request)
            }
        }
    }

    private func list(_ request: Request) throws(Problem) -> WorkerRoute.Job {
        _ = try request.checkedParameters([])
        return { [rollups, store] call throws(Problem) in
            let statuses: [RollupStatus]
            do throws(StorageError) {
                statuses = try rollups.statuses(store.readers, deadline: call.deadline)
            } catch {
                throw Problem(error)
            }
            var body = JSONObjectWriter()
            body.array("rollups", of: statuses) { RollupRoutes.add($1, to: &$0) }
            return .json(200, body.finish())
        }
    }

    private static func add(_ status: RollupStatus, to body: inout JSONObjectWriter) {
        let rollup = status.rollup
        body.add("name", rollup.name)
        body.add("event", rollup.types)
        body.add("interval", rollup.interval.rawValue)
        body.add("group_by", rollup.groups.map(\.name))
        body.add("metrics", rollup.metrics.map(\.name))
        body.add("max_groups", rollup.maxGroups)
        body.add("state", status.state.rawValue)
        body.add("progress", status.progress)
        body.add("buckets", status.size.buckets)
        body.add("rows", status.size.rows)
        body.add("stale_buckets", status.size.staleBuckets)
        body.add("overflowed_buckets", status.size.overflowedBuckets)
    }

    private func rebuild(_ request: Request) throws(Problem) -> Response {
        _ = try request.checkedParameters([])
        let name = request.pathParameters.first ?? ""
        guard rollups.requestRebuild(name) else {
            throw Problem(404, "unknown_rollup", "There is no rollup of that name.")
        }
        writer.attend()
        log.notice("rollup made anew by an operator") { $0.add("rollup", name) }
        var body = JSONObjectWriter()
        body.add("name", name)
        body.add("state", RollupStatus.State.filling.rawValue)
        return .json(202, body.finish())
    }
}
