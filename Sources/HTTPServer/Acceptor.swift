internal import CMicroHTTPD
internal import Glibc
import Primitives
import Synchronization
import Telemetry

/// How many connections are open, on all loops.
final class ConnectionCount: Sendable {
    private let count = Atomic<Int>(0)

    var current: Int { count.load(ordering: .relaxed) }

    /// - Returns: false, and nothing counted, when `limit` is reached.
    func enter(limit: Int) -> Bool {
        if count.wrappingAdd(1, ordering: .relaxed).newValue <= limit { return true }
        leave()
        return false
    }

    func leave() { count.wrappingSubtract(1, ordering: .relaxed) }
}

/// A socket between the acceptor and its loop.
struct AcceptedSocket: Sendable {
    let descriptor: Int32
    let isIPv6: Bool

    /// Gives the socket to libmicrohttpd, which closes it from then on, also when it refuses it.
    func add(to daemon: OpaquePointer?, count: ConnectionCount) {
        var address = sockaddr_storage()
        address.ss_family = sa_family_t(isIPv6 ? AF_INET6 : AF_INET)
        let size = isIPv6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                MHD_add_connection(daemon, descriptor, $0, socklen_t(size))
            }
        }
        if result != .YES { count.leave() }
    }

    /// Ends a socket that no loop has taken.
    func drop(count: ConnectionCount) {
        close(descriptor)
        count.leave()
    }
}

/// The thread that accepts connections and deals them to the loops in turn. A listen socket that the
/// loops shared would give all connections to one of them, and a loop without connections would spin
/// when descriptors run out.
final class Acceptor: @unchecked Sendable {  // One thread calls start and stop; see `run`.
    /// Accepted in a row before the thread looks whether it is to stop.
    private static let batchLimit = 256
    /// A pause when the system has no more to give: nothing else would make the loop wait.
    private static let exhaustedPauseMicroseconds: UInt32 = 20_000

    /// -1 once it is closed, after the thread has ended.
    private var listener: Int32
    private let stopDescriptor: Int32
    private let loops: [EventLoop]
    private let limit: Int
    private let count: ConnectionCount
    private let log: Logger
    private var thread: Thread?
    /// Given up for a moment to refuse a client when descriptors run out. The thread's own.
    private var reserve = open("/dev/null", O_RDONLY | O_CLOEXEC)
    /// The thread's own.
    private var warnedAt = MonotonicTime(nanoseconds: 0)
    /// Stands for the requests that are refused unread. The thread's own.
    private let unread = Request()
    /// The thread's own.
    private var ids = UUIDv7Generator()
    let refused = Counter()

    init(
        listener: Int32, loops: [EventLoop], limit: Int, count: ConnectionCount, log: Logger
    ) {
        self.listener = listener
        self.loops = loops
        self.limit = limit
        self.count = count
        self.log = log
        stopDescriptor = millrace_wake_descriptor()
    }

    deinit {
        closeListener()
        close(stopDescriptor)
        close(reserve)
    }

    func start() { thread = Thread(name: "accept") { [self] in run() } }

    /// Stops accepting and closes the listen socket.
    func stop() {
        var one: UInt64 = 1
        _ = write(stopDescriptor, &one, 8)
        thread?.join()
        thread = nil
        closeListener()
    }

    private func closeListener() {
        if listener >= 0 { close(listener) }
        listener = -1
    }

    private func run() {
        var next = 0
        var descriptors = [
            pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
            pollfd(fd: stopDescriptor, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            poll(&descriptors, 2, -1)
            acceptBatch(&next)
            if descriptors[1].revents != 0 { break }
        }
        // Who is in the backlog believes to be connected, and may have sent a request.
        for _ in 0..<Int(ListenSocket.backlog) / Acceptor.batchLimit where !acceptBatch(&next) {
            return
        }
    }

    /// Deals connections out to the loops, beginning with loop `next`.
    /// - Returns: false when nobody waits any more.
    @discardableResult
    private func acceptBatch(_ next: inout Int) -> Bool {
        for _ in 0..<Acceptor.batchLimit {
            guard let socket = acceptOne() else { return false }
            guard count.enter(limit: limit) else {
                refuse(socket.descriptor)
                warn("the connection limit is reached") {
                    $0.add("limit", limit)
                    $0.add("request_id", unread.id.text)
                }
                continue
            }
            loops[next].add(socket)
            next = (next + 1) % loops.count
        }
        return true
    }

    /// - Returns: nil when nobody waits, or nobody can be accepted now.
    private func acceptOne() -> AcceptedSocket? {
        var address = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let descriptor = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                millrace_accept(listener, $0, &size)
            }
        }
        guard descriptor >= 0 else {
            recover(from: errno)
            return nil
        }
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(4))
        return AcceptedSocket(
            descriptor: descriptor, isIPv6: Int32(address.ss_family) == AF_INET6)
    }

    private func recover(from error: Int32) {
        switch error {
        case EAGAIN, EINTR, ECONNABORTED, EPROTO: return
        case EMFILE, ENFILE: refuseWithoutDescriptors()
        default: warn("a connection cannot be accepted") { $0.add("errno", error) }
        }
        usleep(Acceptor.exhaustedPauseMicroseconds)
    }

    /// Says why and closes. What the client sent is read first, or the kernel would answer its
    /// unread bytes with a reset that can overtake the reply.
    private func refuse(_ descriptor: Int32) {
        refused.add()
        unread.id.removeAll()
        unread.id.append(hex: ids.next(milliseconds: 0).low, digits: 16)
        BareReply.send(BareReply.tooManyConnections, for: unread, to: descriptor)
        shutdown(descriptor, Int32(SHUT_WR))
        var scratch = [UInt8](repeating: 0, count: 4096)
        _ = recv(descriptor, &scratch, scratch.count, Int32(MSG_DONTWAIT))
        close(descriptor)
    }

    private func refuseWithoutDescriptors() {
        close(reserve)
        let descriptor = accept(listener, nil, nil)
        if descriptor >= 0 { refuse(descriptor) }
        reserve = open("/dev/null", O_RDONLY | O_CLOEXEC)
        warn("the process has no file descriptors left")
    }

    /// At most one warning a second.
    private func warn(
        _ message: StaticString, _ fields: (inout LogFields) -> Void = { _ in }
    ) {
        let now = MonotonicTime.now()
        guard now.since(warnedAt) > .seconds(1) else { return }
        warnedAt = now
        log.warning(message, fields)
    }
}
