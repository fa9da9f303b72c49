import Primitives

/// What a server answered. A redirect is an answer like any other: nobody follows it.
package struct HTTPReply: Sendable {
    package let status: Int
    /// The first `replyLimitBytes` of the body.
    package let body: Bytes
    /// There was more of the body than is kept.
    package let isTruncated: Bool
    /// How long the server asks to be left alone (RFC 9110, 10.2.3), counted from its reply; nil
    /// if it did not say, or said a time that has passed.
    package let retryAfter: Duration?

    package init(status: Int, body: Bytes, isTruncated: Bool, retryAfter: Duration?) {
        self.status = status
        self.body = body
        self.isTruncated = isTruncated
        self.retryAfter = retryAfter
    }
}
