import Primitives
import TestSupport

extension ClientReply {
    /// `code` of a problem; nil if the body is no problem+json.
    var problemCode: String? { problem?["code"]?.text }

    /// `instance` of a problem; nil if it has none.
    var problemInstance: String? { problem?["instance"]?.text }

    /// A problem names the request, as its header does.
    var namesRequest: Bool {
        guard let id = problem?["request_id"]?.text else { return false }
        return !id.isEmpty && id == header("X-Request-Id")
    }

    private var problem: JSONValue? {
        guard header("Content-Type") == "application/problem+json" else { return nil }
        return try? JSONValue.parse(text)
    }
}
