import Cache
import HTTPServer
import Primitives
import Query
import Telemetry

/// `DELETE /admin/cache`: an operator has answers forgotten, on all nodes.
struct CacheRoutes: Sendable {
    let cache: AnswerCache
    /// Every entry is looked at.
    let workers: WorkerRoute
    let log: Logger

    /// 255 characters of four bytes.
    private static let typeLimitBytes = 1020

    func register(on router: inout Router) {
        router.on(
            .delete, "/admin/cache", access: .admin, bodyLimit: .none,
            workers.handler { (request) throws(Problem) in try purge(request) })
    }

    private func purge(_ request: Request) throws(Problem) -> WorkerRoute.Job {
        let tag = try request.checkedParameters(["tag"]).first?.value
        if let tag, !(1...CacheRoutes.typeLimitBytes).contains(tag.utf8.count) {
            throw .parameter("tag", "tag is an event type or a named query.")
        }
        return { [cache, log] _ throws(Problem) in
            var removed = 0
            if let tag {
                removed += cache.purge(.tag(tag))
                // Answers over all types hold this one too.
                removed += cache.purge(.tag(QueryRequest.tagOfAllTypes))
            } else {
                removed += cache.purge(.all)
            }
            log.notice("cache purged") {
                $0.add("scope", tag == nil ? "all" : "tag")
                $0.add("removed", removed)
            }
            var body = JSONObjectWriter()
            body.add("removed", removed)
            return .json(200, body.finish())
        }
    }
}
