internal import CMicroHTTPD
internal import Glibc
import Primitives

/// A reply of libmicrohttpd that a connection sends again and again.
///
/// Building one takes some twenty allocations, and most replies on a connection differ from the one
/// before in the bytes of their body and in their request id alone: these are written over in place,
/// which is possible because a connection has one reply under way at a time. Of a `SharedReply` the
/// request id and `RateLimit` alone are written over; its body is lent. On the loop's thread.
final class PreparedReply {
    /// Larger bodies are not copied but lent to libmicrohttpd.
    static let bodyLimitBytes = 1024

    let handle: OpaquePointer
    private let contentType: StaticString?
    private let cacheControl: StaticString
    /// Of a reply that is shared, nil.
    private let body: UnsafeMutableRawPointer?
    private let shared: SharedReply?
    private let bodyCount: Int
    private let requestID: UnsafeMutablePointer<CChar>
    private let requestIDCount: Int
    private let rateLimit: RateLimitField?

    var isShared: Bool { shared != nil }

    /// - Returns: nil for a reply that has more to it, or if there is no memory.
    init?(_ response: Response, _ request: Request) {
        guard response.headers.isEmpty, !response.closesConnection else { return nil }
        let made: OpaquePointer?
        switch response.body {
        case .shared(let reply):
            (shared, body, bodyCount) = (reply, nil, reply.body.count)
            made = ResponseEncoder.lent(reply.body)
        case .bytes(let bytes) where bytes.count <= PreparedReply.bodyLimitBytes:
            guard let copy = malloc(max(bytes.count, 1)) else { return nil }
            memcpy(copy, bytes.base, bytes.count)
            (shared, body, bodyCount) = (nil, copy, bytes.count)
            made = millrace_response_static(copy, bytes.count)
        default: return nil
        }
        guard let made else {
            free(body)
            return nil
        }
        ResponseEncoder.addFields(made, response, request)
        guard let requestID = millrace_response_value(made, "X-Request-Id") else {
            MHD_destroy_response(made)
            free(body)
            return nil
        }
        handle = made
        self.requestID = requestID
        contentType = response.contentType
        cacheControl = response.cacheControl
        requestIDCount = request.id.count
        rateLimit = RateLimitField(of: made, request.principal.quota)
    }

    deinit {
        MHD_destroy_response(handle)
        free(body)
    }

    /// Makes it the reply `response` to `request`.
    /// - Returns: false, with nothing changed, if it cannot be that.
    func take(_ response: Response, _ request: Request) -> Bool {
        guard response.headers.isEmpty, !response.closesConnection,
            request.id.count == requestIDCount, request.principal.quota === rateLimit?.quota
        else { return false }
        switch response.body {
        case .shared(let reply): guard reply === shared else { return false }
        case .bytes(let bytes):
            guard let body, bytes.count == bodyCount,
                isSame(response.contentType, contentType),
                isSame(response.cacheControl, cacheControl)
            else { return false }
            memcpy(body, bytes.base, bodyCount)
        default: return false
        }
        UnsafeMutableRawBufferPointer(start: requestID, count: requestIDCount)
            .copyMemory(from: request.id.span)
        rateLimit?.write(at: .now())
        return true
    }
}

/// Whether both are the same literal; equal ones of different places may count as different.
private func isSame(_ a: StaticString?, _ b: StaticString?) -> Bool {
    switch (a, b) {
    case (let a?, let b?):
        a.utf8Start == b.utf8Start && a.utf8CodeUnitCount == b.utf8CodeUnitCount
    case (nil, nil): true
    default: false
    }
}
