internal import CMicroHTTPD
internal import Glibc
import Primitives
import Synchronization
import Telemetry

/// One connection and the request on it. Everything but `claim` and `isAbandoned` runs on the thread
/// of its event loop.
package final class HTTPConnection: @unchecked Sendable {  // Loop thread, but for the atomics.
    /// Where the request on the connection stands.
    enum Phase {
        /// Between two requests.
        case idle
        /// The request line has come, the header not yet whole.
        case header
        case body
        /// The handler has the request.
        case waiting
        /// The reply is being sent.
        case replying
        case streaming
    }

    let loop: EventLoop
    let request: Request
    private(set) var handle: OpaquePointer?
    private(set) var phase = Phase.idle {
        didSet {
            if phase == .body { loop.incomplete += 1 }
            if oldValue == .body { loop.incomplete -= 1 }
        }
    }
    /// When `phase` began; of a streaming reply, when something was last sent.
    private(set) var since: MonotonicTime
    /// When the client last took a piece of a streaming reply.
    private(set) var moved: MonotonicTime
    private var body: BodyIntake
    /// What answers the request once its body is there.
    private var endpoint: Endpoint?
    /// What was answered when the header was complete; sent once libmicrohttpd takes it.
    private var early: Response?
    /// The client was answered before its body was read.
    private(set) var leavesUnread = false
    /// libmicrohttpd keeps this connection out of its sets until it is resumed.
    private(set) var isSuspended = false
    /// It waits in libmicrohttpd's ready list.
    private var isParked = false {
        didSet { if isParked != oldValue { loop.parked += isParked ? 1 : -1 } }
    }
    /// The socket is shut down; libmicrohttpd will notice and close.
    private(set) var isCut = false
    /// When the client was seen to have closed its side while its reply was awaited or streamed.
    private var halfClosedAt: MonotonicTime?
    /// `bodyBytes` when the client was seen to have left within its body.
    private var bytesAtEnd: Int?
    private var walk: HeaderWalk?
    /// The request as it came, if its reply may be sent again.
    private var bytes: RequestBytes?
    /// The reply to send, found by these bytes.
    private var repeated: RepeatedReply?
    private var pending: Response?
    private var prepared: PreparedReply?
    private var status = 0
    private var problemCode: String?
    private var stream: EventStream?
    private let number = Atomic<UInt64>(0)
    private let abandoned = Atomic<UInt64>(0)
    /// The last request that somebody has begun to answer.
    private let claimed = Atomic<UInt64>(0)

    init(loop: EventLoop, handle: OpaquePointer) {
        self.loop = loop
        self.handle = handle
        request = Request(budget: loop.bodyBudget, masker: loop.options.masker)
        body = BodyIntake(limitBytes: loop.options.bodyLimitBytes)
        since = loop.now
        moved = loop.now
        request.loopIndex = loop.index
    }

    // MARK: What libmicrohttpd reports, in this order

    /// The request line has been read.
    func begin(target: UnsafeRawBufferPointer) {
        number.add(1, ordering: .relaxed)
        request.reset()
        request.target.append(target)
        request.received = .now()
        enter(.header)
        body.begin(limitBytes: loop.options.bodyLimitBytes)
        endpoint = nil
        // Most requests leave nothing here, and taking a `Response` apart costs even if it is none.
        if early != nil { early = nil }
        halfClosedAt = nil
        bytesAtEnd = nil
        status = 0
        if problemCode != nil { problemCode = nil }
        bytes = nil
        repeated = nil
    }

    /// The header is complete: refuse, or let the body come.
    func headerComplete(
        method: UnsafeRawBufferPointer, target: UnsafeRawPointer?, version: UnsafeRawBufferPointer
    ) -> Bool {
        guard let handle, !isCut else { return false }
        let headerBytes = millrace_header_bytes(handle)
        bytes = RequestBytes(
            method: method, headerBytes: headerBytes, target: request.target.span,
            fieldCount: Int(millrace_header_count(handle)))
        repeated = findRepeated()
        enter(.body)
        // libmicrohttpd takes a reply before the request's end for a refusal, and closes.
        if repeated != nil { return true }
        request.method = HTTPMethod(method)
        request.isHTTP10 = version.isEqual(to: "HTTP/1.0")
        walk = HeaderWalk(
            method: method, target: target, targetCount: request.target.count, version: version)
        millrace_each_header(handle, Unmanaged.passUnretained(self).toOpaque(), appendHeader)
        loop.correlate(request)
        guard leavesMemory(headerBytes) else {
            refuse(BareReply.headerTooLarge)
            return false
        }
        let start = method.baseAddress ?? UnsafeRawPointer(handle)
        do {
            try RequestGuard.check(
                request, method: method,
                isWhole: walk?.isWhole(headerEnd: start + headerBytes) ?? false,
                headerLimitBytes: loop.options.headerLimitBytes)
        } catch {
            return turnAway(Problem(error).response(for: request))
        }
        return route(start + headerBytes)
    }

    /// Looks for the reply that the same request has just had; nil if there is none that still holds.
    private func findRepeated() -> RepeatedReply? {
        guard !loop.repeats.isEmpty, let bytes else { return nil }
        // Reading the clock costs as much as finding the reply. Where all of the header came at once,
        // its first line was seen a moment ago.
        let cameAtOnce = request.received >= loop.now
        return loop.repeated(bytes, at: cameAtOnce ? request.received : .now())
    }

    private func send(_ reply: RepeatedReply) -> Bool {
        guard let handle else { return false }
        loop.identify(request, by: reply)
        let elapsed = MonotonicTime.now().nanoseconds &- request.received.nanoseconds
        reply.address(to: request.id.span, microseconds: elapsed / 1000)
        if loop.parked > 0 { loop.hasReplies = true }
        status = reply.status
        enter(.replying)
        return millrace_queue_response(handle, UInt32(reply.status), reply.handle) != 0
    }

    /// Finds what answers the request, and whether this client may ask it with this body.
    private func route(_ bodyStart: UnsafeRawPointer) -> Bool {
        let announcement = BodyIntake.announcement(request.headers)
        if announcement != .nothing { bytes = nil }
        if announcement == .chunked {
            body.watchChunks(
                from: bodyStart, memoryBytes: loop.options.connectionMemoryBytes)
        }
        switch loop.match(request) {
        case .answer(let response): return turnAway(response)
        case .endpoint(let endpoint):
            do throws(Problem) {
                request.principal = try loop.authorize(request, endpoint.access)
                try body.expect(
                    endpoint.bodyLimit, serverLimit: loop.options.bodyLimitBytes,
                    announcement, loop.bodyBudget)
            } catch {
                return turnAway(error.response(for: request))
            }
            self.endpoint = endpoint
            return true
        }
    }

    /// Answers by the header alone. Where a body follows, the connection ends with the answer, and
    /// none of the body is read.
    private func turnAway(_ response: Response) -> Bool {
        guard BodyIntake.announcement(request.headers) != .nothing || response.closesConnection
        else {
            early = response
            return true
        }
        leavesUnread = true
        // Of other methods libmicrohttpd would read the whole body before it sends the reply.
        guard request.method == .post || request.method == .put else {
            refuse(response)
            return false
        }
        var response = response
        response.closesConnection = true
        return queue(response)
    }

    /// The next field of the header.
    func append(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        walk?.field(name: name, value: value)
        request.headers.append(name: name, value: value)
    }

    /// Whether the connection's memory still has room for the reply's header: without it
    /// libmicrohttpd would close the connection and say nothing.
    private func leavesMemory(_ headerBytes: Int) -> Bool {
        let limit = loop.options.connectionMemoryBytes - HTTPServerOptions.replyHeaderBytes
        var used = headerBytes + HTTPServerOptions.fieldBytes * request.headers.count
        // Cookies are copied and taken apart, each as a field of its own.
        if used > limit / 2, let cookies = request.headers.first("cookie") {
            let count = cookies.count { $0 == UInt8(ascii: ";") || $0 == UInt8(ascii: ",") } + 1
            used += cookies.count + HTTPServerOptions.fieldBytes * count
        }
        return used <= limit
    }

    func received(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard !isCut else { return false }
        return body.take(bytes, pass: loop.now, into: request)
    }

    /// Bytes of the body, as they came, chunk framing left out.
    var bodyBytes: Int { body.bytes }

    /// The request is complete, or libmicrohttpd asks again because it has had no reply.
    func proceed() -> Bool {
        guard !isCut else { return false }
        if let response = pending {
            pending = nil
            loop.hasReplies = true
            return queue(response)
        }
        guard phase == .body else { return stillWaiting() }
        if let reply = repeated {
            repeated = nil
            return send(reply)
        }
        enter(.waiting)
        if body.isChunked { finishChunks() }
        if let early {
            self.early = nil
            return queue(early)
        }
        if let refusal = body.refusal {
            leavesUnread = true
            return queue(refusal.response(for: request))
        }
        guard let endpoint else { return false }
        let responder = Responder(self, number: number.load(ordering: .relaxed))
        request.correlated { endpoint.handler(request, responder) }
        if let response = pending {
            pending = nil
            return queue(response)
        }
        isParked = true
        return true
    }

    private func finishChunks() {
        guard let handle else { return }
        var areSound = true
        withUnsafeMutablePointer(to: &areSound) {
            millrace_each_trailer(handle, $0, judgeTrailer)
        }
        body.finish(areTrailersSound: areSound, pass: loop.now, request)
    }

    /// The reply has been sent or given up.
    func ended(well: Bool) {
        guard phase != .idle else { return }
        isParked = false
        if !well { abandoned.store(number.load(ordering: .relaxed), ordering: .relaxed) }
        if let stream { stream.close() }
        stream = nil
        if pending != nil { pending = nil }
        isSuspended = false
        if status != 0 {
            loop.finished(request, bodyBytes: bodyBytes, status: status, code: problemCode)
        }
        // While it is awaited somebody may still read the body; it goes with the request then.
        if phase != .waiting { request.dropBody(above: HTTPConnection.keptBodyBytes) }
        enter(.idle)
    }

    /// Nothing has come for a while: its buffer is worth more to others.
    func rest() {
        request.dropBody(above: BodyCharge.freeBytes)
        // It may be the last to hold a body that its cache has given up.
        if prepared?.isShared == true { prepared = nil }
    }

    func closed() {
        ended(well: false)
        number.add(1, ordering: .relaxed)
        prepared = nil
        handle = nil
    }

    // MARK: Answering

    /// The right to answer request `number`, given once. Any thread.
    func claim(_ number: UInt64) -> Bool {
        claimed.max(number, ordering: .relaxed).oldValue < number
    }

    /// Takes the answer to request `number`, unless it is over. Loop thread.
    func complete(_ number: UInt64, _ response: Response) {
        guard number == self.number.load(ordering: .relaxed), phase == .waiting, pending == nil
        else { return response.discard() }
        pending = response
        if isParked || isSuspended { loop.hasReplies = true }
        if isSuspended, let handle {
            isSuspended = false
            isParked = true
            MHD_resume_connection(handle)
        }
    }

    func isAbandoned(_ number: UInt64) -> Bool {
        abandoned.load(ordering: .relaxed) >= number
            || self.number.load(ordering: .relaxed) != number
    }

    /// The client was seen to close its side while the connection was suspended: it has left, or it
    /// has sent all that it had and waits. Nothing tells these apart but sending something, so a
    /// stream sends its heartbeat at once, and for other replies it waits a while.
    func clientFinished() {
        guard let first = halfClosedAt else {
            halfClosedAt = loop.now
            abandoned.store(number.load(ordering: .relaxed), ordering: .relaxed)
            return heartbeat()
        }
        let isLate = loop.now.since(first) > loop.options.halfClosedTimeout
        if phase == .waiting, isLate { cut() }
    }

    /// The client was seen to have closed its side before its body was whole, and all that it sent is
    /// read. Seen again with nothing more, the connection ends, and gives back what the body took:
    /// at the least rate that may go on for hours.
    func bodyBrokeOff() {
        if bytesAtEnd == bodyBytes { return cut() }
        bytesAtEnd = bodyBytes
    }

    var socket: Int32 { handle.map { millrace_connection_socket($0) } ?? -1 }

    /// Ends the connection; libmicrohttpd closes it when it sees the end. Between passes of the loop.
    func cut() {
        guard let handle else { return }
        isCut = true
        shutdown(socket, Int32(SHUT_RDWR))
        millrace_connection_expire(handle)
        loop.hasReplies = true
        guard isSuspended else { return }
        isSuspended = false
        isParked = phase == .waiting
        MHD_resume_connection(handle)
    }

    /// Ends the connection of a request that comes too slowly, and says so.
    func refuseLate() {
        // Without its header it has no id yet.
        if phase == .header { loop.correlate(request) }
        refuse(BareReply.requestTimeout)
        cut()
    }

    /// libmicrohttpd has the whole header and has not asked about it, which it does at once unless
    /// it refuses it: a length that is none, or cookies that its memory has no room for.
    var isRefusedByLibrary: Bool {
        guard phase == .header, !isCut, let handle else { return false }
        return millrace_header_bytes(handle) > 0
    }

    /// Answers in libmicrohttpd's place, which would send its status line and header twice (0.9.75)
    /// and a page of its own behind them.
    func refuseMalformed(status: Int) {
        guard let handle else { return }
        millrace_each_header(handle, Unmanaged.passUnretained(self).toOpaque(), appendHeader)
        loop.correlate(request)
        switch status {
        case 413: refuse(.bodyTooLarge(loop.options.bodyLimitBytes))
        case 431: refuse(BareReply.headerTooLarge)
        default: refuse(Problem(RequestGuard.invalidLength))
        }
        // Now it finds the way closed.
        isCut = true
        shutdown(socket, Int32(SHUT_WR))
    }

    private func refuse(_ problem: Problem) { refuse(problem.response(for: request)) }

    private func refuse(_ response: Response) {
        status = response.status
        problemCode = response.problemCode
        BareReply.send(response, for: request, to: socket)
    }

    /// A streaming reply that had nothing to send is asked again.
    func wakeStream(_ number: UInt64) {
        guard number == self.number.load(ordering: .relaxed), phase == .streaming, isSuspended,
            let handle
        else { return }
        isSuspended = false
        loop.hasReplies = true
        MHD_resume_connection(handle)
    }

    /// Sends a comment that keeps the stream open, and shows whether the client is still there.
    func heartbeat() {
        guard phase == .streaming else { return }
        since = loop.now
        _ = stream?.send(HTTPConnection.heartbeatBytes)
    }

    func finishStream() { stream?.finish() }

    /// Called by libmicrohttpd for the next piece of a streaming reply.
    func read(into target: UnsafeMutableRawBufferPointer) -> Int {
        guard let stream, let handle else { return millrace_stream_end }
        guard !isCut else { return millrace_stream_error }
        switch stream.read(into: target) {
        case .bytes(let count):
            since = loop.now
            loop.hasReplies = true
            moved = loop.now
            return count
        case .end: return millrace_stream_end
        case .nothing:
            isSuspended = true
            MHD_suspend_connection(handle)
            return 0
        }
    }

    private static let heartbeatBytes = Bytes(":\n\n")
    /// Of a buffer, kept for the next request: making it anew for each would cost page faults.
    private static let keptBodyBytes = 256 << 10

    private func enter(_ phase: Phase) {
        self.phase = phase
        since = loop.now
    }

    /// Short waits stay parked in libmicrohttpd's ready list, which costs no system call; a long one
    /// is suspended so that the loop need not look at it again.
    private func stillWaiting() -> Bool {
        guard phase == .waiting, let handle else { return true }
        if loop.now.since(since) > EventLoop.longestParking {
            isParked = false
            isSuspended = true
            MHD_suspend_connection(handle)
        }
        return true
    }

    /// The reply to use again, if `response` is of that kind.
    private func prepare(_ response: Response) -> PreparedReply? {
        guard loop.sendsPlainReplies else { return nil }
        if let prepared, prepared.take(response, request) { return prepared }
        guard let fresh = PreparedReply(response, request) else { return nil }
        prepared = fresh
        return fresh
    }

    private func queue(_ response: Response) -> Bool {
        guard let handle else { return false }
        isParked = false
        if loop.parked > 0 { loop.hasReplies = true }
        var response = response
        if body.isEndUncertain { response.closesConnection = true }
        status = response.status
        problemCode = response.problemCode
        if let bytes, let endpoint,
            let kept = loop.keep(response, to: request, bytes, endpoint)
        {
            enter(.replying)
            return millrace_queue_response(handle, UInt32(kept.status), kept.handle) != 0
        }
        if let prepared = prepare(response) {
            enter(.replying)
            return millrace_queue_response(handle, UInt32(response.status), prepared.handle) != 0
        }
        let reply = loop.encode(response, for: self)
        defer { MHD_destroy_response(reply) }
        if case .stream(let stream) = response.body {
            self.stream = stream
            enter(.streaming)
            moved = loop.now
            if loop.isStopping { stream.finish() }
            let number = number.load(ordering: .relaxed)
            stream.attach { [self] in loop.enqueue { self.wakeStream(number) } }
        } else {
            enter(.replying)
        }
        return millrace_queue_response(handle, UInt32(response.status), reply) != 0
    }
}
