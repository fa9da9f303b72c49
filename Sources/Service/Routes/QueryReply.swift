import Cache
import HTTPServer
import Primitives
import Query

/// An answer as one client gets it: in the coding that it takes, or only the word that it has it
/// already, with what became of its question in the cache.
struct QueryReply {
    let answer: CachedAnswer
    let wish: QueryWish
    /// A plan is about this moment, and nobody keeps it.
    let isPlan: Bool
    /// The named query that it answers, if it does.
    var named: NamedQuery?
    /// What the client is told of the answer's age counts to here.
    let now = MonotonicTime.now()

    init(_ answer: CachedAnswer, _ wish: QueryWish, _ query: QueryRequest) {
        self.answer = answer
        self.wish = wish
        isPlan = query.explain
    }

    init(_ answer: CachedAnswer, _ wish: QueryWish, to named: NamedQuery) {
        self.answer = answer
        self.wish = wish
        isPlan = false
        self.named = named
    }

    func response(to request: Request) -> Response {
        let (body, isCompressed) = body(for: request)
        var response = Response(200, contentType: contentType, body: .bytes(body))
        response.isCoded = true
        if let next = answer.next { response.add("X-Next-Cursor", next) }
        if answer.isCut { response.add("X-Truncated", "true") }
        if isCompressed { response.add("Content-Encoding", "gzip") }
        // `Accept` chooses the form; a key that is bound to types gets other rows.
        response.add("Vary", "Accept, Accept-Encoding, Authorization")
        response.add("Cache-Status", CacheStatus.text(answer.reply, at: now))
        response.add("Server-Timing", timing(request))
        if isPlan { return response }
        response.add("Age", "\(age)")
        // What a POST answers is kept by no cache (RFC 9110, section 9.3.3).
        guard request.method != .post else { return response }
        let tag = isCompressed ? "\"\(answer.digits)-gzip\"" : "\"\(answer.digits)\""
        response.add("ETag", tag)
        response.cacheControlText = cacheControl
        if EntityTag.isKnown(tag, to: request) { response.status = 304 }
        return response
    }

    private var contentType: StaticString {
        switch answer.format {
        case .json: "application/json"
        case .csv: "text/csv; charset=utf-8; header=present"
        case .ndjson: "application/x-ndjson"
        }
    }

    private func body(for request: Request) -> (Bytes, isCompressed: Bool) {
        guard ReplyCoding.acceptsGzip(request.headers) else { return (answer.body, false) }
        if let gzip = answer.gzipBody { return (gzip, true) }
        // The cache compresses what it keeps, where that pays; this was computed for one alone, on
        // the worker that is here.
        let reply = answer.reply
        guard reply.source == .computed, !reply.isStored, !reply.isCollapsed,
            answer.body.count > ReplyCoding.minimumBytes
        else { return (answer.body, false) }
        return gzipCompress(answer.body.span, until: reply.deadline).map { ($0, true) }
            ?? (answer.body, false)
    }

    /// Since it was computed or last seen to be what the events say (RFC 9111, section 5.1).
    private var age: Int64 { now.since(answer.reply.entry.verifiedAt).components.seconds }

    /// A client's own cache gets half of the staleness that it accepts, and the other half while it
    /// asks again.
    private var cacheControl: String {
        let accepted = wish.maxStaleSeconds
        if accepted == 0 { return "private, no-cache" }
        if let named, named.policy == .ttl {
            // The whole lifetime: a client subtracts `Age` itself.
            let limit = wish.conditions.isMaxStaleGiven ? accepted : .max
            let fresh = min(named.lifetime.components.seconds, limit)
            let stale = min(named.staleWhileRevalidate.components.seconds, limit - fresh)
            return "private, max-age=\(fresh)"
                + (stale > 0 ? ", stale-while-revalidate=\(stale)" : "")
        }
        let half = (accepted + 1) / 2
        return "private, max-age=\(half), stale-while-revalidate=\(accepted - half)"
    }

    /// Milliseconds a tier, as W3C's Server Timing has them.
    private func timing(_ request: Request) -> String {
        let reply = answer.reply
        let others = (reply.redisTime ?? .zero) + (reply.computeTime ?? .zero)
        var text = "memory;dur=" + Self.milliseconds(now.since(request.received) - others)
        if let time = reply.redisTime { text += ", redis;dur=" + Self.milliseconds(time) }
        if let time = reply.computeTime { text += ", store;dur=" + Self.milliseconds(time) }
        return text
    }

    private static func milliseconds(_ time: Duration) -> String {
        let microseconds = max(time.wholeNanoseconds, 0) / 1000
        return "\(microseconds / 1000).\(String(1000 + microseconds % 1000).dropFirst())"
    }
}

/// What the tiers did, as RFC 9211 has it: the one nearest to the events first.
enum CacheStatus {
    static func text(_ reply: CacheReply, at now: MonotonicTime) -> String {
        let ttl = "; ttl=\(reply.timeToLive(at: now).components.seconds)"
        let collapsed = reply.isCollapsed ? "; collapsed" : ""
        let stored = reply.isStored ? "; stored" : ""
        switch (reply.source, reply.state) {
        case (.memory, .hit), (.memory, .stale): return "memory; hit" + ttl
        // It was there, and the events say that it is still right.
        case (.memory, _): return "memory; fwd=stale; fwd-status=304" + ttl + collapsed
        case (.redis, _): return "redis; hit\(ttl), memory; fwd=uri-miss" + stored + collapsed
        case (.computed, let state):
            let reason =
                switch state {
                case .forced: "request"
                case .bypass: "bypass"
                case .hit, .stale, .miss: "uri-miss"
                }
            let redis = reply.redisTime == nil ? "" : "redis; fwd=uri-miss, "
            return redis + "memory; fwd=\(reason)" + stored + collapsed
        }
    }
}
