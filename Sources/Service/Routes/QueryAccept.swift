import HTTPServer
import Primitives
import Query

/// Which form of the answer a client prefers, by its `Accept` header (RFC 9110, section 12.5.1).
enum QueryAccept {
    /// The parameter `format` takes precedence over the header; the parser of parameters reads it.
    static func format(
        _ request: Request, _ parameters: [Parameter]
    ) throws(Problem) -> QueryFormat {
        parameters.contains { $0.name == "format" } ? .json : try format(request)
    }

    /// - Returns: the form of the greatest weight, the first of them in the order of `offers`; JSON
    ///   without a header, or with one of more than 64 ranges or 2 KiB.
    /// - Throws: a 406 when the header leaves nothing that is offered.
    private static func format(_ request: Request) throws(Problem) -> QueryFormat {
        let ranges = (request.headers.items("accept") ?? []).compactMap(Range.init)
        guard !ranges.isEmpty else { return .json }
        var best: (format: QueryFormat, weight: Double)?
        for offer in offers {
            let weight = offer.types.map { QueryAccept.weight(of: $0, in: ranges) }.max() ?? 0
            if weight > (best?.weight ?? 0) { best = (offer.format, weight) }
        }
        guard let best else {
            throw Problem(
                406, "not_acceptable",
                "Offered are application/json, text/csv and application/x-ndjson.")
        }
        return best.format
    }

    private static let offers: [(format: QueryFormat, types: [String])] = [
        (.json, ["application/json"]), (.csv, ["text/csv"]),
        (.ndjson, ["application/x-ndjson", "application/jsonl"]),
    ]

    /// One media range of the header.
    private struct Range {
        let type: String
        let weight: Double

        init?(_ text: String) {
            let parts = text.split(separator: ";").map {
                String($0.filter { $0 != " " && $0 != "\t" }).lowercased()
            }
            guard let type = parts.first else { return nil }
            self.type = type
            weight =
                parts.dropFirst().first { $0.hasPrefix("q=") }
                .flatMap { Double($0.dropFirst(2)) } ?? 1
        }
    }

    /// The most specific range that covers a type says its weight.
    private static func weight(of type: String, in ranges: [Range]) -> Double {
        let group = type.split(separator: "/")[0] + "/*"
        for wanted in [type, String(group), "*/*"] {
            if let range = ranges.last(where: { $0.type == wanted }) { return range.weight }
        }
        return 0
    }
}
