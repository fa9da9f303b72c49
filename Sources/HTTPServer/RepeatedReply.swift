internal import CMicroHTTPD
internal import Glibc
import Primitives
import Telemetry

/// One libmicrohttpd response that an event loop sends to every request with the same bytes.
///
/// - It is valid while its `ReplyRepetition` says so, and for a second at most.
/// - `X-Request-Id` is overwritten for each request, unless the request names its own; so are the
///   digits of a `Server-Timing` that ends in `dur=0.000`. libmicrohttpd copies the header into the
///   connection's buffer when the callback that queued the reply returns, so all connections of a loop
///   can share one reply. Loops share nothing.
/// - `RateLimit` is overwritten too, for a caller with a quota.
/// - libmicrohttpd borrows the body and does not copy it.
///
/// Belongs to the loop's thread.
final class RepeatedReply {
    let handle: OpaquePointer
    let status: Int
    let method: HTTPMethod
    let route: String?
    let routeIndex: Int
    let principal: Principal
    let access: Access
    let until: MonotonicTime
    /// The id that the request names itself; nil where each gets one.
    let givenID: Bytes?
    /// The trace that the request names; nil where each starts one.
    let givenTrace: TraceContext?

    private let known: KnownRequest
    private let repetition: ReplyRepetition
    private let requestID: UnsafeMutablePointer<CChar>
    private let requestIDCount: Int
    private let rateLimit: RateLimitField?
    /// Five digits of milliseconds; nil if the reply has none.
    private let duration: UnsafeMutablePointer<CChar>?

    /// For a larger body sending costs more than parsing, and this memory is in no other budget.
    static let bodyLimitBytes = 32 << 10
    private static let longest = Duration.seconds(1)

    /// - Returns: nil for a reply that cannot be sent again.
    init?(
        _ response: Response, _ request: Request, _ bytes: RequestBytes, _ endpoint: Endpoint,
        at now: MonotonicTime
    ) {
        guard let repetition = response.repetition, !response.closesConnection,
            response.problemCode == nil, let known = KnownRequest(bytes),
            let made = RepeatedReply.make(response)
        else { return nil }
        ResponseEncoder.addFields(made, response, request)
        guard let requestID = millrace_response_value(made, "X-Request-Id") else {
            MHD_destroy_response(made)
            return nil
        }
        handle = made
        self.known = known
        self.repetition = repetition
        self.requestID = requestID
        requestIDCount = request.id.count
        duration = RepeatedReply.duration(made)
        rateLimit = RateLimitField(of: made, request.principal.quota)
        status = response.status
        method = request.method
        route = request.route
        routeIndex = request.routeIndex
        principal = request.principal
        access = endpoint.access
        until = now + RepeatedReply.longest
        givenID = request.isIDGiven ? Bytes(request.id.span) : nil
        givenTrace = request.trace.parentID == 0 ? nil : request.trace
    }

    deinit { MHD_destroy_response(handle) }

    func isFor(_ request: RequestBytes) -> Bool { known.isSame(request) }

    /// Whether it is the reply to give at `now`.
    func holds(at now: MonotonicTime) -> Bool { now < until && repetition.holds(at: now) }

    /// Makes it the reply to one request.
    /// - Parameter microseconds: since the request came.
    func address(to id: UnsafeRawBufferPointer, microseconds: UInt64) {
        if givenID == nil, id.count == requestIDCount {
            UnsafeMutableRawBufferPointer(start: requestID, count: requestIDCount)
                .copyMemory(from: id)
        }
        rateLimit?.write(at: .now())
        guard let duration else { return }
        var rest = min(microseconds, 9999)
        for place in [4, 3, 2, 0] {
            duration[place] = CChar(truncatingIfNeeded: 0x30 + rest % 10)
            rest /= 10
        }
    }

    private static func make(_ response: Response) -> OpaquePointer? {
        switch response.body {
        case .bytes(let bytes) where bytes.count <= bodyLimitBytes: ResponseEncoder.lent(bytes)
        case .shared(let shared) where shared.body.count <= bodyLimitBytes:
            ResponseEncoder.lent(shared.body)
        default: nil
        }
    }

    /// Where the milliseconds of a `Server-Timing` with one tier are: `dur=0.012` at its end.
    private static func duration(_ reply: OpaquePointer) -> UnsafeMutablePointer<CChar>? {
        guard let value = millrace_response_value(reply, "Server-Timing") else { return nil }
        let text = UnsafeRawBufferPointer(start: value, count: strlen(value))
        guard text.count >= 9 else { return nil }
        let end = UnsafeRawBufferPointer(rebasing: text[(text.count - 9)...])
        let isPlain = end.hasPrefix("dur=") && end[5] == UInt8(ascii: ".")
        return isPlain ? value + (text.count - 5) : nil
    }
}
