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
package final class EventLoop: @unchecked Sendable {  // Its own thread, but for inbox and thread.
    /// A group commit takes well under a millisecond; what takes longer is worth a suspension.
    static let longestParking = Duration.milliseconds(5)
    /// Passes without a wait that may bring nothing. libmicrohttpd asks for one after the other
    /// without end where a client fills a connection's memory with what is neither a header nor a
    /// body, such as a chunk extension (0.9.75); `bodyGrace` ends that.
    private static let patience = 64
    private struct Inbox {
        var tasks: [@Sendable () -> Void] = []
        var sockets: [AcceptedSocket] = []
        var isAwake = false
        /// The loop has run for the last time: nothing more is taken.
        var hasEnded = false
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
    /// libmicrohttpd called us in this pass.
    var hasActivity = false
    /// Requests whose header is complete and whose body is not.
    var incomplete = 0
    /// Replies are queued that only another pass sends.
    var hasReplies = false
    let openConnections: ConnectionCount

    /// What requests are answered with.
    private(set) var application: Application
    private let server: ServerContext
    private let inbox = Locked(Inbox())
    private let wakeDescriptor: Int32
    private var daemon: OpaquePointer?
    /// libmicrohttpd has it until the daemon ends.
    private let ownAnswers = UnsafeMutablePointer<millrace_own_answers>.allocate(capacity: 1)
    private var descriptors: [pollfd] = []
    /// Passes without a wait, one after the other, that brought nothing.
    private var fruitless = 0
    /// Sockets of clients that may still send what nobody reads.
    var lingering = LingeringSockets()
    private(set) var connections: [ObjectIdentifier: HTTPConnection] = [:]
    /// The `pthread_t` of the loop's thread; 0 while it does not run.
    private let thread = Atomic<UInt>(0)
    var lastReap = MonotonicTime(nanoseconds: 0)
    private(set) var isStopping = false
    var ids = UUIDv7Generator()
    /// Replies that may be sent again.
    let repeats = RepeatTable()

    init(
        index: Int, options: HTTPServerOptions, server: ServerContext, count: ConnectionCount,
        application: Application
    ) {
        self.index = index
        self.options = options
        self.server = server
        self.application = application
        openConnections = count
        wakeDescriptor = millrace_wake_descriptor()
    }

    /// Sets libmicrohttpd up. Call once, before `run`.
    /// - Returns: false if the system has no more to give.
    func open() -> Bool {
        let this = Unmanaged.passUnretained(self).toOpaque()
        ownAnswers.initialize(
            to: millrace_own_answers(loop: this, answering: libraryAnswering))
        daemon = millrace_daemon_start(
            this, ownAnswers, UInt32(options.maxConnections + 64),
            options.connectionMemoryBytes, handleAccess, requestCompleted, connectionChanged,
            targetSeen, keepEscapes)
        guard let daemon else { return false }
        descriptors = [
            pollfd(fd: millrace_daemon_epoll(daemon), events: Int16(POLLIN), revents: 0),
            pollfd(fd: wakeDescriptor, events: Int16(POLLIN), revents: 0),
        ]
        return true
    }

    deinit {
        if let daemon { MHD_stop_daemon(daemon) }
        ownAnswers.deallocate()
        close(wakeDescriptor)
    }

    // MARK: Other threads

    package var isCurrentThread: Bool { thread.load(ordering: .relaxed) == pthread_self() }

    /// Runs `task` on the loop's thread, soon. Any thread.
    /// - Returns: false, with the task dropped, when the loop has ended.
    @discardableResult
    package func enqueue(_ task: @escaping @Sendable () -> Void) -> Bool {
        put { $0.tasks.append(task) }
    }

    /// Serves `socket` from now on; closes it if the loop has ended. Any thread.
    func add(_ socket: AcceptedSocket) {
        if !put({ $0.sockets.append(socket) }) { socket.drop(count: openConnections) }
    }

    private func put(_ addition: (inout Inbox) -> Void) -> Bool {
        let (isTaken, wasAsleep) = inbox.withLock { inbox in
            guard !inbox.hasEnded else { return (false, false) }
            addition(&inbox)
            defer { inbox.isAwake = true }
            return (true, !inbox.isAwake)
        }
        if wasAsleep {
            var one: UInt64 = 1
            _ = write(wakeDescriptor, &one, 8)
        }
        return isTaken
    }

    // MARK: The loop

    /// Serves until `stop` and then until the last reply is out or `drainDeadline` has passed.
    func run() {
        thread.store(pthread_self(), ordering: .relaxed)
        while !isFinished {
            waitForEvents()
            hasReplies = false
            takeInbox()
            now = .now()
            hasProgress = false
            hasActivity = false
            MHD_run(daemon)
            application.onPassEnd(self)
            if now.since(lastReap) >= reapInterval { reap() }
        }
        shutDown()
    }

    private var isFinished: Bool {
        guard server.isDraining else { return false }
        guard isStopping else {
            // Another pass takes the sockets that were accepted before.
            isStopping = true
            hasReplies = true
            beginDrain()
            return false
        }
        return connections.isEmpty || server.drainDeadline.hasPassed
    }

    private func waitForEvents() {
        let shortWait = Int32(EventLoop.longestParking.wholeMilliseconds)
        var timeout: Int32 = Int32(reapInterval.wholeMilliseconds)
        if hasReplies {
            timeout = 0
        } else if parked > 0 {
            timeout = hasProgress && incomplete > 0 ? 0 : shortWait
        } else {
            var wanted: UInt64 = 0
            if MHD_get_timeout(daemon, &wanted) == .YES {
                timeout = Int32(min(wanted, UInt64(timeout)))
            }
            fruitless = timeout > 0 || hasActivity ? 0 : fruitless + 1
            if fruitless > EventLoop.patience { timeout = shortWait }
        }
        if timeout > 0 { poll(&descriptors, 2, timeout) }
    }

    private func takeInbox() {
        // The loop may take a task before the thread that put it there has written to the eventfd. Unless
        // that late write is read, every `poll` returns at once.
        let isWoken = descriptors[1].revents != 0
        descriptors[1].revents = 0
        guard inbox.withLock({ $0.isAwake }) || isWoken else { return }
        // Before the inbox is taken: who puts something in after that writes again, and reading then
        // would swallow it and leave the loop asleep over a full inbox.
        var count: UInt64 = 0
        _ = read(wakeDescriptor, &count, 8)
        let work = inbox.withLock { inbox in
            defer { inbox = Inbox() }
            return inbox
        }
        for socket in work.sockets { socket.add(to: daemon, count: openConnections) }
        for task in work.tasks { task() }
    }

    private func shutDown() {
        for connection in connections.values where !connection.isCut {
            server.cutConnections.add()
            if connection.phase != .idle { server.cutRequests.add() }
            connection.cut()
        }
        // Resumes and closes what was cut: libmicrohttpd aborts the process when it is stopped with
        // suspended connections.
        MHD_run(daemon)
        MHD_run(daemon)
        MHD_stop_daemon(daemon)
        daemon = nil
        lingering.closeAll()
        let rest = inbox.withLock { inbox in
            defer { inbox = Inbox(hasEnded: true) }
            return inbox
        }
        for socket in rest.sockets { socket.drop(count: openConnections) }
        for task in rest.tasks { task() }
        thread.store(0, ordering: .relaxed)
    }

    // MARK: What connections ask of their loop

    func opened(_ handle: OpaquePointer) -> HTTPConnection {
        let connection = HTTPConnection(loop: self, handle: handle)
        connections[ObjectIdentifier(connection)] = connection
        return connection
    }

    func closed(_ connection: HTTPConnection) {
        if connection.leavesUnread { lingering.add(connection.socket, at: now) }
        connection.closed()
        connections[ObjectIdentifier(connection)] = nil
        openConnections.leave()
    }

    var bodyBudget: BodyBudget { server.bodyBudget }

    /// On the loop's thread.
    func serve(_ application: Application) {
        self.application = application
        repeats.removeAll()
    }

    func match(_ request: Request) -> Router.Match { application.router.match(request) }

    func authorize(_ request: Request, _ access: Access) throws(Problem) -> Principal {
        try application.authorize(request, access)
    }

    /// Gives the request its id and its place in a trace.
    func correlate(_ request: Request) {
        let made = ids.next(milliseconds: 0)
        // Two of them are nobody's trace (W3C Trace Context, section 3.2.1).
        let given = request.headers.only("traceparent").flatMap {
            TraceContext(traceparent: $0.trimmed, spanID: made.low)
        }
        trace(request, given, spanID: made.low)
        if let given = request.headers.first("x-request-id"), EventLoop.isSane(given) {
            request.id.append(given)
            request.isIDGiven = true
        } else {
            // Not the trace's id: many requests may belong to one trace.
            request.id.append(hex: request.trace.spanID, digits: 16)
        }
    }

    /// Continues the trace `given`, or starts one.
    func trace(_ request: Request, _ given: TraceContext?, spanID: UInt64) {
        guard var trace = given else {
            request.trace = TraceContext(
                traceID: ids.next(milliseconds: WallClock.nowMilliseconds()), spanID: spanID,
                parentID: 0, isSampled: true)
            return
        }
        trace.spanID = spanID
        request.trace = trace
    }

    /// libmicrohttpd cannot parse what a client sent, and is about to answer with a page of its own.
    ///
    /// It does not say to whom. Only where it has taken a whole header and refuses that itself can
    /// the connection be told from others, and gets our answer; see `HTTPConnection.isRefusedByLibrary`.
    func answersItself(status: Int) {
        hasActivity = true
        if let connection = connections.values.first(where: \.isRefusedByLibrary) {
            return connection.refuseMalformed(status: status)
        }
        server.malformed.add()
        guard options.accessLog != .off else { return }
        server.log.notice("a request was malformed") {
            $0.add("status", status)
            $0.add("code", "malformed")
        }
    }

    func finished(_ request: Request, bodyBytes: Int, status: Int, code: String?) {
        let nanoseconds = MonotonicTime.now().nanoseconds &- request.received.nanoseconds
        metrics.observe(
            RequestMetrics.Key(method: request.method, route: request.routeIndex, status: status),
            nanoseconds: nanoseconds)
        guard options.accessLog != .off, status >= 400 || options.accessLog == .all else { return }
        AccessLog.write(
            request, bodyBytes, status, code, .nanoseconds(Int64(clamping: nanoseconds)),
            options.accessLog, server.log)
    }

    /// Whether replies need no fields that depend on the server's state or the request's origin.
    var sendsPlainReplies: Bool { !server.isDraining && options.corsOrigins.isEmpty }

    func encode(_ response: Response, for connection: HTTPConnection) -> OpaquePointer? {
        ResponseEncoder.encode(
            response, for: connection, closing: server.isDraining || response.closesConnection,
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
