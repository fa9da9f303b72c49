import Primitives
import TestSupport

extension ClientReply {
    /// `code` of a problem; nil if the body is no problem+json.
    var problemCode: String? {
        guard header("Content-Type") == "application/problem+json" else { return nil }
        return (try? JSONValue.parse(text))?["code"]?.text
    }
}
