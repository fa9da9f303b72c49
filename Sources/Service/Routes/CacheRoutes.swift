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
        let parameters = try request.checkedParameters(["tag", "key"])
        let tag = parameters.first { $0.name == "tag" }?.value
        let key = parameters.first { $0.name == "key" }?.value
        if let tag, !(1...CacheRoutes.typeLimitBytes).contains(tag.utf8.count) {
            throw .parameter("tag", "tag is an event type or a named query.")
        }
        if let key, !CacheRoutes.isKey(key) {
            throw .parameter("key", "key is the cache_key of a plan, 32 hexadecimal digits.")
        }
        return { [cache, log] _ throws(Problem) in
            var removed = 0
            if let key {
                removed += cache.purge(.tag(QueryRequest.tag(ofKey: key)))
            }
            if let tag {
                removed += cache.purge(.tag(tag))
                // Answers over all types hold this one too.
                removed += cache.purge(.tag(QueryRequest.tagOfAllTypes))
            }
            if key == nil, tag == nil {
                removed += cache.purge(.all)
            }
            log.notice("cache purged") {
                $0.add("scope", tag != nil ? "tag" : key != nil ? "key" : "all")
                $0.add("removed", removed)
            }
            var body = JSONObjectWriter()
            body.add("removed", removed)
            return .json(200, body.finish())
        }
    }

    /// As `QueryRequest.canonicalKey` writes them.
    private static func isKey(_ text: String) -> Bool {
        text.utf8.count == 32
            && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
}
