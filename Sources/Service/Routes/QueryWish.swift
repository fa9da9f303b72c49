import Cache
import HTTPServer
import Primitives
import Query

/// How fresh an answer a client wants, by the parameters of its query and by `Cache-Control`
/// (RFC 9111, section 5.2.1). Where they differ, the stricter one holds. A field of more than 64 directives
/// or 2 KiB says nothing.
struct QueryWish: Sendable {
    private(set) var mode = CacheMode.use
    private(set) var conditions = CacheConditions()

    /// A year and a day, as for `max_stale`: more than any answer has.
    private static let limitSeconds: Int64 = 366 * 86_400

    init(_ query: QueryRequest, _ request: Request) {
        self.init(maxStaleSeconds: query.maxStaleSeconds, request)
    }

    /// - Parameter seconds: what the question itself says of how stale its answer may be.
    init(maxStaleSeconds seconds: Int?, _ request: Request) {
        if let seconds { setMaxStale(Int64(seconds)) }
        guard request.headers.first("cache-control") != nil else { return }
        for item in request.headers.items("cache-control") ?? [] { take(item) }
    }

    /// The least staleness that this client may be told to live with; whole seconds.
    var maxStaleSeconds: Int64 { conditions.maxStale.components.seconds }

    private mutating func take(_ item: String) {
        let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            .map { $0.filter { $0 != " " && $0 != "\t" && $0 != "\"" }.lowercased() }
        let seconds = parts.count > 1 ? QueryWish.seconds(parts[1]) : nil
        switch parts.first {
        // Validated with the events before it is used.
        case "no-cache": setMaxStale(0)
        case "no-store": mode = .bypass
        case "only-if-cached": if mode != .bypass { mode = .only }
        case "max-age": conditions.maxAge = seconds.map { .seconds($0) }
        case "min-fresh": conditions.minFresh = seconds.map { .seconds($0) }
        case "stale-if-error": conditions.staleIfError = .seconds(seconds ?? 0)
        // A client that takes what is stale says so explicitly; `max_stale` comes before it.
        case "max-stale":
            if !conditions.isMaxStaleGiven { setMaxStale(seconds ?? QueryWish.limitSeconds) }
        default: return
        }
    }

    private mutating func setMaxStale(_ seconds: Int64) {
        conditions.maxStale = .seconds(min(seconds, QueryWish.limitSeconds))
        conditions.isMaxStaleGiven = true
    }

    /// Seconds as RFC 9111, section 1.2.2 has them: too many are very many.
    private static func seconds(_ text: String) -> Int64? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return min(Int64(text) ?? limitSeconds, limitSeconds)
    }
}
