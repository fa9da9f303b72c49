internal import CMicroHTTPD
import Primitives

/// Turns a `Response` into libmicrohttpd's. The caller destroys what it gets.
enum ResponseEncoder {
    static func encode(
        _ response: Response, for connection: HTTPConnection, closing: Bool, corsOrigins: [String]
    ) -> OpaquePointer? {
        let reply = body(response, for: connection)
        addFields(reply, response, connection.request)
        if closing { add(reply, "Connection", "close") }
        if !corsOrigins.isEmpty { addCORS(reply, connection.request, corsOrigins) }
        return reply
    }

    /// The fields that do not depend on how the server stands.
    static func addFields(_ reply: OpaquePointer?, _ response: Response, _ request: Request) {
        if let type = response.contentType { add(reply, "Content-Type", type) }
        add(reply, "X-Content-Type-Options", "nosniff")
        if let text = response.cacheControlText {
            add(reply, "Cache-Control", text)
        } else {
            add(reply, "Cache-Control", response.cacheControl)
        }
        addRequestID(reply, request)
        if let quota = request.principal.quota { addRateLimit(reply, quota) }
        if case .shared(let shared) = response.body {
            for (name, value) in shared.headers { add(reply, name, value) }
        }
        for (name, value) in response.headers { add(reply, name, value) }
    }

    private static func body(_ response: Response, for connection: HTTPConnection) -> OpaquePointer?
    {
        switch response.body {
        case .empty: return millrace_response_static(nil, 0)
        case .fixed(let text):
            return millrace_response_static(text.utf8Start, text.utf8CodeUnitCount)
        case .bytes(let bytes) where bytes.count <= 1024:
            return millrace_response_copy(bytes.base, bytes.count)
        case .bytes(let bytes): return lent(bytes)
        case .shared(let shared): return lent(shared.body)
        case .stream:
            // The connection outlives its reply: `requestCompleted` comes before it is closed.
            let reply = MHD_create_response_from_callback(
                UInt64.max, 4096, readStream, Unmanaged.passUnretained(connection).toOpaque(), nil)
            if connection.request.method == .head, let reply {
                millrace_response_without_length(reply)
            }
            return reply
        }
    }

    /// A reply whose body stays where it is.
    static func lent(_ bytes: Bytes) -> OpaquePointer? {
        // libmicrohttpd keeps the bytes alive and lets them go when the last reply is out.
        MHD_create_response_from_buffer_with_free_callback_cls(
            bytes.count, UnsafeMutableRawPointer(bytes.base), releaseBytes,
            Unmanaged.passRetained(bytes).toOpaque())
    }

    private static func addRequestID(_ reply: OpaquePointer?, _ request: Request) {
        request.id.withCString { _ = MHD_add_response_header(reply, "X-Request-Id", $0) }
    }

    private static func addRateLimit(_ reply: OpaquePointer?, _ quota: Quota) {
        add(reply, "RateLimit-Policy", quota.policy)
        var standing = ByteBuffer(capacity: Quota.standingBytes)
        RateLimitField.append(quota, to: &standing, at: .now())
        standing.withCString { _ = MHD_add_response_header(reply, "RateLimit", $0) }
    }

    private static func add(_ reply: OpaquePointer?, _ name: StaticString, _ value: StaticString) {
        name.withCString { name in
            value.withCString { _ = MHD_add_response_header(reply, name, $0) }
        }
    }

    private static func add(_ reply: OpaquePointer?, _ name: StaticString, _ value: String) {
        name.withCString { name in _ = MHD_add_response_header(reply, name, value) }
    }

    /// What a page may read beside what browsers show anyway.
    private static let exposedHeaders: StaticString = """
        X-Request-Id, X-Next-Cursor, Retry-After, Allow, Accept-Encoding, ETag, Age, Cache-Status, \
        Server-Timing, RateLimit, RateLimit-Policy
        """
    /// What a page may send beside what browsers allow anyway, and beside `ce-*`.
    private static let allowedHeaders =
        "Authorization, Content-Type, Content-Encoding, X-Request-Id, traceparent, tracestate, "
        + "If-None-Match, Last-Event-ID"
    /// CloudEvents has eight attributes; extensions are few.
    private static let attributeLimit = 32

    /// Attributes of CloudEvents that a page asks to send as headers. Any name may be an extension's,
    /// and there is no wildcard for them, so those that are asked for are named.
    private static func wantedAttributes(_ request: Request) -> [String] {
        let items = request.headers.items("access-control-request-headers") ?? []
        return Array(items.map { $0.lowercased() }.filter(isAttribute).prefix(attributeLimit))
    }

    private static func isAttribute(_ name: String) -> Bool {
        name.hasPrefix("ce-") && name.utf8.count <= 64
            && name.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x2D
            }
    }

    private static func addCORS(_ reply: OpaquePointer?, _ request: Request, _ origins: [String]) {
        let isPreflight = request.method == .options
        add(reply, "Vary", isPreflight ? "Origin, Access-Control-Request-Headers" : "Origin")
        guard let origin = request.headers.text("origin"),
            origins.contains("*") || origins.contains(origin)
        else { return }
        add(reply, "Access-Control-Allow-Origin", origin)
        add(reply, "Access-Control-Expose-Headers", exposedHeaders)
        guard isPreflight else { return }
        add(reply, "Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE, OPTIONS")
        let names = [allowedHeaders] + wantedAttributes(request)
        add(reply, "Access-Control-Allow-Headers", names.joined(separator: ", "))
        add(reply, "Access-Control-Max-Age", "600")
    }
}

private func releaseBytes(_ context: UnsafeMutableRawPointer?) {
    guard let context else { return }
    Unmanaged<Bytes>.fromOpaque(context).release()
}

extension StaticString {
    /// The text for a C function; a literal ends in a zero byte.
    fileprivate func withCString(_ body: (UnsafePointer<CChar>) -> Void) {
        utf8Start.withMemoryRebound(to: CChar.self, capacity: utf8CodeUnitCount + 1) { body($0) }
    }
}

extension ByteBuffer {
    /// The bytes and a zero behind them.
    fileprivate func withCString(_ body: (UnsafePointer<CChar>) -> Void) {
        // There are always `padding` bytes behind the content.
        base.storeBytes(of: 0, toByteOffset: count, as: UInt8.self)
        body(UnsafePointer(base.assumingMemoryBound(to: CChar.self)))
    }
}
