import Primitives

/// A reply that is made once and sent to many, such as a cached answer.
///
///     let answer = SharedReply(contentType: "application/json", body, etag: "\"1a2b\"", headers: …)
///     responder.respond(answer.response(to: request))  // On the event loop: nothing is copied.
///
/// A connection keeps libmicrohttpd's form of the last one that it sent. Asked for the same instance
/// again it sends that form with another `X-Request-Id` written over the last. libmicrohttpd locks
/// nothing but the count of references of a response, so its form is one connection's alone; the body
/// is everybody's. To change anything, make a new instance and let go of the old one.
package final class SharedReply: Sendable {
    package let contentType: StaticString
    package let cacheControl: StaticString
    /// Beside those that every reply has; with `ETag`, and with `Vary` where there is `gzip`.
    package let headers: [(name: StaticString, value: String)]
    package let body: Bytes
    package let etag: String?
    /// The same, compressed, for clients that take it. It has an entity tag of its own.
    package let gzip: SharedReply?

    /// - Parameters:
    ///   - etag: strong, quotes included, and of this coding alone.
    ///   - gzip: of the same body; nil where compression saves nothing.
    package init(
        contentType: StaticString, _ body: Bytes, etag: String? = nil,
        cacheControl: StaticString = "no-store",
        headers: [(name: StaticString, value: String)] = [], gzip: SharedReply? = nil
    ) {
        self.contentType = contentType
        self.cacheControl = cacheControl
        self.body = body
        self.etag = etag
        self.gzip = gzip
        var fields = headers
        if let etag { fields.append(("ETag", etag)) }
        if gzip != nil { fields.append(("Vary", "Accept-Encoding")) }
        self.headers = fields
    }

    /// A compressed form of `body`, to be given as `gzip` of the plain one. O(n), on a worker.
    package static func compressed(
        contentType: StaticString, _ body: Bytes, etag: String? = nil,
        cacheControl: StaticString = "no-store",
        headers: [(name: StaticString, value: String)] = []
    ) -> SharedReply {
        SharedReply(
            contentType: contentType, gzipCompress(body.span), etag: etag,
            cacheControl: cacheControl,
            headers: headers + [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")])
    }

    /// The coding that suits the client: 304 where it has that already (RFC 9110, section 13.1.2),
    /// else 200. A 304 repeats the fields of the 200 and has no body.
    package func response(to request: Request) -> Response {
        var chosen = self
        if let gzip, ReplyCoding.acceptsGzip(request.headers) { chosen = gzip }
        let isKnown = chosen.etag.map { EntityTag.isKnown($0, to: request) } ?? false
        let status = isKnown ? 304 : 200
        var response = Response(status, contentType: chosen.contentType, body: .shared(chosen))
        response.cacheControl = chosen.cacheControl
        return response
    }
}
