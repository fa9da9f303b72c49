import HTTPServer
import Primitives
import Query

/// `GET /query/insights`: a caller's own patterns, and everybody's to a key with the scope `admin` and
/// where nobody needs a key.
struct InsightRoutes: Sendable {
    let insights: QueryInsights
    /// There may be megabytes to write.
    let workers: WorkerRoute

    func register(on router: inout Router) {
        router.on(
            .get, "/query/insights", access: .query, bodyLimit: .none,
            workers.handler { (request) throws(Problem) in
                let kind = try InsightRoutes.kind(request)
                let principal = request.principal
                let seesAll =
                    principal === Principal.anonymous || principal.scopes.contains("admin")
                let caller = seesAll ? nil : principal.name
                return { [insights] _ throws(Problem) in
                    InsightRoutes.response(
                        insights.insights(kind: kind, caller: caller), of: insights)
                }
            })
    }

    private static func kind(_ request: Request) throws(Problem) -> InsightKind? {
        guard let text = try request.checkedParameters(["kind"]).first?.value else { return nil }
        guard let kind = InsightKind(rawValue: text) else {
            let kinds = InsightKind.allCases.map(\.rawValue).joined(separator: ", ")
            throw .parameter("kind", "kind is one of \(kinds).")
        }
        return kind
    }

    private static func response(_ found: [Insight], of insights: QueryInsights) -> Response {
        var body = JSONObjectWriter()
        body.array("insights", of: found) { add($1, to: &$0) }
        body.add("observed", insights.observedCount)
        body.add("hits", insights.hitCount)
        return .json(200, body.finish())
    }

    private static func add(_ insight: Insight, to body: inout JSONObjectWriter) {
        body.add("kind", insight.kind.rawValue)
        body.add("fingerprint", insight.fingerprintText)
        body.add("caller", insight.caller)
        body.add("path", insight.path)
        body.add("occurrences", insight.occurrences)
        body.add("count", insight.count)
        body.add("total_ms", insight.total.inSeconds * 1000)
        add("parameter", insight.parameter, to: &body)
        body.add("samples", insight.samples)
        body.add("trace_ids", insight.traces.map(InsightRoutes.text))
        add("preceded_by", insight.precededBy, to: &body)
        add("replacement", insight.replacement, to: &body)
        body.add("advice", insight.advice)
        body.add("first_seen", Timestamp.format(insight.firstSeen))
        body.add("last_seen", Timestamp.format(insight.lastSeen))
    }

    private static func add(_ name: String, _ text: String?, to body: inout JSONObjectWriter) {
        if let text { body.add(name, text) } else { body.addNull(name) }
    }

    /// As `traceparent` writes it.
    private static func text(_ trace: Key128) -> String {
        var digits = ByteBuffer(capacity: 32)
        digits.append(hex: trace.high, digits: 16)
        digits.append(hex: trace.low, digits: 16)
        return digits.text
    }
}
