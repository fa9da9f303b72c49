import HTTPServer
import Logs
import Primitives

/// What a body of logs is written in, by its media type.
enum LogBodyFormat {
    private static let lineTypes: Set<String> = [
        "application/x-ndjson", "application/ndjson", "application/jsonl",
        "application/x-jsonlines", "application/x-json-stream",
    ]

    /// - Throws: a 415 that names what is accepted.
    static func of(_ request: Request) throws(Problem) -> LogDecoder.Format {
        let type = request.mediaType ?? ""
        if type == "application/json" { return .json }
        if lineTypes.contains(type) { return .ndjson }
        throw Problem(
            415, "unsupported_media_type",
            "Content-Type must be application/json, application/x-ndjson, application/jsonl, "
                + "application/ndjson, application/x-jsonlines or application/x-json-stream.")
    }
}
