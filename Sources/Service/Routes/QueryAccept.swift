import HTTPServer
import Primitives
import Query

/// Which form of the answer a client prefers, by its `Accept` header (RFC 9110, section 12.5.1).
enum QueryAccept {
    /// - Returns: the first acceptable form of the greatest weight; JSON without a header.
    /// - Throws: a 406 when the header leaves nothing that is offered.
    static func format(_ request: Request) throws(Problem) -> QueryFormat {
        guard let header = request.headers.text("accept") else { return .json }
        var best: (format: QueryFormat, weight: Double)?
        for range in header.split(separator: ",") {
            let parts = range.split(separator: ";").map {
                String($0.filter { $0 != " " && $0 != "\t" }).lowercased()
            }
            guard let type = parts.first, let format = offered(type) else { continue }
            let weight =
                parts.dropFirst().first { $0.hasPrefix("q=") }
                .flatMap { Double($0.dropFirst(2)) } ?? 1
            if weight > (best?.weight ?? 0) { best = (format, weight) }
        }
        guard let best else {
            throw Problem(
                406, "not_acceptable",
                "Offered are application/json, text/csv and application/x-ndjson.")
        }
        return best.format
    }

    private static func offered(_ type: String) -> QueryFormat? {
        switch type {
        case "*/*", "application/*", "application/json": .json
        case "text/csv", "text/*": .csv
        case "application/x-ndjson", "application/jsonl": .ndjson
        default: nil
        }
    }
}
