internal import CMicroHTTPD
internal import Glibc
import Primitives
import Synchronization
import Telemetry

/// One thread that serves its share of the connections with libmicrohttpd.
///
/// Why a loop of our own: libmicrohttpd's internal epoll thread drains events in rounds of 128 and
/// gives each round its blocking timeout, so with 128 or more ready connections it sleeps with work
/// in hand (0.9.75 and 1.0.1). Here `poll` waits on its epoll descriptor and on our eventfd, and
/// `MHD_run` never blocks.
///
/// A request that waits for its answer stays *parked* in libmicrohttpd's ready list at first: the
/// handler is asked again on each run, for some ten nanoseconds, where suspending and resuming costs
/// three system calls. After `longestParking` it is suspended.
package final class EventLoop: @unchecked Sendable {  // Its own thread, but for `inbox`.
    /// A group commit takes well under a millisecond; what takes longer is worth a suspension.
    static let longestParking = Duration.milliseconds(5)
    /// How often deadlines are looked at.
    private static let reapInterval = Duration.milliseconds(250)
    private static let heartbeatInterval = Duration.seconds(15)

    private struct Inbox {
        var tasks: [@Sendable () -> Void] = []
        var sockets: [AcceptedSocket] = []
        var isAwake = false
    }

    package let index: Int
    let options: HTTPServerOptions
    let metrics = RequestMetrics()
    /// The time this pass of the loop began.
    private(set) var now = MonotonicTime.now()
    /// Requests parked in libmicrohttpd's ready list.
    var parked = 0
    /// A body grew in this pass. While requests are parked libmicrohttpd always asks for another pass
    /// at once; this says whether there may be more to read that no event will announce.
    var hasProgress = false
    /// Requests whose header is complete and whose body is not.
    var incomplete = 0
    /// Replies are queued that only another pass sends.
    var hasReplies = false
    let openConnections: ConnectionCount

    private let server: ServerContext
    private let inbox = Locked(Inbox())
    private let wakeDescriptor: Int32
    private var daemon: OpaquePointer?
    private var connections: [ObjectIdentifier: HTTPConnection] = [:]
    private var thread: pthread_t?
    private var lastReap = MonotonicTime(nanoseconds: 0)
    private var isStopping = false
    private var ids = UUIDv7Generator()

    init(index: Int, options: HTTPServerOptions, server: ServerContext, count: ConnectionCount) {
        self.index = index
        self.options = options
        self.server = server
        openConnections = count
        wakeDescriptor = millrace_wake_descriptor()
    }

    deinit { close(wakeDescriptor) }

    // MARK: Other threads

    package var isCurrentThread: Bool { thread == pthread_self() }

    /// Runs `task` on the loop's thread, soon. Any thread.
    package func enqueue(_ task: @escaping @Sendable () -> Void) {
        let wasAsleep = inbox.withLock { inbox in
            inbox.tasks.append(task)
            defer { inbox.isAwake = true }
            return !inbox.isAwake
        }
        if wasAsleep { wake() }
    }

    func add(_ socket: AcceptedSocket) {
        let wasAsleep = inbox.withLock { inbox in
            inbox.sockets.append(socket)
            defer { inbox.isAwake = true }
            return !inbox.isAwake
        }
        if wasAsleep { wake() }
    }

    private func wake() {
        var one: UInt64 = 1
        _ = write(wakeDescriptor, &one, 8)
    }

    // MARK: The loop

    /// Serves until `stop` and then until the last reply is out or `drainDeadline` has passed.
    func run() {
        thread = pthread_self()
        guard start() else { return server.log.critical("libmicrohttpd did not start") }
        while !isFinished {
            waitForEvents()
            hasReplies = false
            takeInbox()
            now = .now()
            hasProgress = false
            MHD_run(daemon)
            server.onPassEnd(index)
            if now.since(lastReap) >= EventLoop.reapInterval { reap() }
        }
        shutDown()
    }

    private func start() -> Bool {
        // The header's bytes, one entry a field, and the reply's header share the memory of a
        // connection. libmicrohttpd clears all of it after each request, so more is slower.
        let memory = options.headerLimitBytes + (4 << 10)
        daemon = millrace_daemon_start(
            Unmanaged.passUnretained(self).toOpaque(), UInt32(options.maxConnections + 64), memory,
            handleAccess, requestCompleted, connectionChanged, targetSeen, keepEscapes)
        return daemon != nil
    }

    private var isFinished: Bool {
        guard server.isDraining else { return false }
        if !isStopping { beginDrain() }
        return connections.isEmpty || server.drainDeadline.hasPassed
    }

    private func waitForEvents() {
        var timeout: Int32 = Int32(EventLoop.reapInterval.wholeMilliseconds)
        if hasReplies {
            timeout = 0
        } else if parked > 0 {
            timeout =
                hasProgress && incomplete > 0
                ? 0 : Int32(EventLoop.longestParking.wholeMilliseconds)
        } else {
            var wanted: UInt64 = 0
            if MHD_get_timeout(daemon, &wanted) == .YES {
                timeout = Int32(min(wanted, UInt64(timeout)))
            }
        }
        guard timeout > 0 else { return }
        var descriptors = [
            pollfd(fd: millrace_daemon_epoll(daemon), events: Int16(POLLIN), revents: 0),
            pollfd(fd: wakeDescriptor, events: Int16(POLLIN), revents: 0),
        ]
        poll(&descriptors, 2, timeout)
    }

    private func takeInbox() {
        var count: UInt64 = 0
        let work = inbox.withLock { inbox -> Inbox in
            guard inbox.isAwake else { return Inbox() }
            defer { inbox = Inbox() }
            return inbox
        }
        guard work.isAwake else { return }
        _ = read(wakeDescriptor, &count, 8)
        for socket in work.sockets { socket.add(to: daemon, count: openConnections) }
        for task in work.tasks { task() }
    }

    /// Cuts off who is too slow, looks after streams, and notices clients that left while their
    /// connection was suspended.
    private func reap() {
        lastReap = now
        for connection in connections.values where !connection.isCut {
            let elapsed = now.since(connection.since)
            switch connection.phase {
            case .idle:
                let limit =
                    connection.request.target.isEmpty ? options.headerTimeout : options.idleTimeout
                if elapsed > limit { connection.cut() }
            case .header: if elapsed > options.headerTimeout { connection.cut() }
            case .body: if isTooSlow(connection.bodyBytes, elapsed) { connection.cut() }
            case .replying: if elapsed > .seconds(120) { connection.cut() }
            case .streaming:
                if elapsed > EventLoop.heartbeatInterval { connection.heartbeat() }
            case .waiting: if connection.isSuspended { notice(connection) }
            }
        }
    }

    /// The first five seconds are free, so that a pause at the start is not held against anyone.
    private func isTooSlow(_ bytes: Int, _ elapsed: Duration) -> Bool {
        let seconds = elapsed.inSeconds - 5
        return seconds > 0 && Double(bytes) < seconds * Double(options.bodyMinimumBytesPerSecond)
    }

    private func notice(_ connection: HTTPConnection) {
        var byte: UInt8 = 0
        let count = recv(connection.socket, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
        if count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) {
            connection.markAbandoned()
        }
    }

    // MARK: Ending

    private func beginDrain() {
        isStopping = true
        for connection in connections.values {
            connection.finishStream()
            if case .idle = connection.phase { connection.cut() }
        }
        hasReplies = true
    }

    private func shutDown() {
        for connection in connections.values { connection.cut() }
        MHD_run(daemon)
        MHD_run(daemon)
        MHD_stop_daemon(daemon)
        daemon = nil
        thread = nil
    }

    // MARK: What connections ask of their loop

    func opened(_ handle: OpaquePointer) -> HTTPConnection {
        let connection = HTTPConnection(loop: self, handle: handle)
        connections[ObjectIdentifier(connection)] = connection
        return connection
    }

    func closed(_ connection: HTTPConnection) {
        connection.closed()
        connections[ObjectIdentifier(connection)] = nil
        openConnections.leave()
    }

    func handle(_ request: Request, _ responder: Responder) { server.handle(request, responder) }

    /// Gives the request its id and its place in a trace.
    func correlate(_ request: Request) {
        let made = ids.next(milliseconds: 0)
        if let traceparent = request.headers.first("traceparent"),
            let trace = TraceContext(traceparent: traceparent.trimmed, spanID: made.low)
        {
            request.trace = trace
        } else {
            let random = ids.next(milliseconds: WallClock.nowMilliseconds())
            request.trace = TraceContext(
                traceID: random, spanID: made.low, parentID: 0, isSampled: true)
        }
        if let given = request.headers.first("x-request-id"), EventLoop.isSane(given) {
            request.id.append(given)
        } else {
            request.id.append(hex: request.trace.traceID.low, digits: 16)
        }
    }

    func finished(_ request: Request, status: Int, code: String?) {
        let duration = MonotonicTime.now().since(request.received)
        metrics.observe(
            RequestMetrics.Key(method: request.method, route: request.routeIndex, status: status),
            duration)
        AccessLog.write(request, status, code, duration, options.accessLog, server.log)
    }

    func encode(_ response: Response, for connection: HTTPConnection) -> OpaquePointer? {
        ResponseEncoder.encode(
            response, for: connection, closing: isStopping || response.closesConnection,
            corsOrigins: options.corsOrigins)
    }

    /// What may be echoed: 1 to 64 letters, digits, `-`, `_`, `.`, `:`, `/`, `+`, `=` or `@`.
    private static func isSane(_ id: UnsafeRawBufferPointer) -> Bool {
        guard (1...64).contains(id.count) else { return false }
        return id.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: "-_.:/+=@".utf8.contains(byte)
            }
        }
    }
}
