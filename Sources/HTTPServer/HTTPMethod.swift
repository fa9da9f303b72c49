/// The methods that a route may answer. Any other token is `other` and never has a route.
package enum HTTPMethod: UInt8, CaseIterable, Sendable {
    case get, head, post, put, delete, options, patch, other

    package var name: String {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .patch: "PATCH"
        case .other: "_OTHER"  // OpenTelemetry's name for methods it does not know.
        }
    }

    /// Methods are case-sensitive (RFC 9110, section 9.1).
    package init(_ text: UnsafeRawBufferPointer) {
        self =
            if text.isEqual(to: "GET") {
                .get
            } else if text.isEqual(to: "POST") {
                .post
            } else if text.isEqual(to: "HEAD") {
                .head
            } else if text.isEqual(to: "PUT") {
                .put
            } else if text.isEqual(to: "DELETE") {
                .delete
            } else if text.isEqual(to: "OPTIONS") {
                .options
            } else if text.isEqual(to: "PATCH") {
                .patch
            } else {
                .other
            }
    }
}
