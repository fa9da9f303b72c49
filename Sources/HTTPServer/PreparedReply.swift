internal import CMicroHTTPD
internal import Glibc
import Primitives

/// A reply of libmicrohttpd that a connection sends again and again.
///
/// Building one takes some twenty allocations, and most replies on a connection differ from the one
/// before in the bytes of their body and in their request id alone: these are written over in place,
/// which is possible because a connection has one reply under way at a time. On the loop's thread.
final class PreparedReply {
    /// Larger bodies are not copied but lent to libmicrohttpd.
    static let bodyLimitBytes = 1024

    let handle: OpaquePointer
    private let contentType: StaticString?
    private let cacheControl: StaticString
    private let body: UnsafeMutableRawPointer
    private let bodyCount: Int
    private let requestID: UnsafeMutablePointer<CChar>
    private let requestIDCount: Int

    /// - Returns: nil for a reply that has more to it, or if there is no memory.
    init?(_ response: Response, _ request: Request) {
        guard let bytes = PreparedReply.plainBody(response) else { return nil }
        guard let body = malloc(max(bytes.count, 1)) else { return nil }
        guard let handle = millrace_response_static(body, bytes.count) else {
            free(body)
            return nil
        }
        ResponseEncoder.addFields(handle, response, request)
        guard let requestID = millrace_response_value(handle, "X-Request-Id") else {
            MHD_destroy_response(handle)
            free(body)
            return nil
        }
        self.handle = handle
        self.body = body
        self.requestID = requestID
        contentType = response.contentType
        cacheControl = response.cacheControl
        bodyCount = bytes.count
        requestIDCount = request.id.count
        memcpy(body, bytes.base, bodyCount)
    }

    deinit {
        MHD_destroy_response(handle)
        free(body)
    }

    /// Makes it the reply `response` to `request`.
    /// - Returns: false, with nothing changed, if it cannot be that.
    func take(_ response: Response, _ request: Request) -> Bool {
        guard let bytes = PreparedReply.plainBody(response), bytes.count == bodyCount,
            request.id.count == requestIDCount, isSame(response.contentType, contentType),
            isSame(response.cacheControl, cacheControl)
        else { return false }
        memcpy(body, bytes.base, bodyCount)
        UnsafeMutableRawBufferPointer(start: requestID, count: requestIDCount)
            .copyMemory(from: request.id.span)
        return true
    }

    private static func plainBody(_ response: Response) -> Bytes? {
        guard case .bytes(let bytes) = response.body, bytes.count <= bodyLimitBytes,
            response.headers.isEmpty, !response.closesConnection
        else { return nil }
        return bytes
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
