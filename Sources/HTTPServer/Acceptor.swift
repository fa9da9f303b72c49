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
}

/// The thread that accepts connections and deals them to the loops in turn. A listen socket that the
/// loops shared would give all connections to one of them, and a loop without connections would spin
/// when descriptors run out.
final class Acceptor: @unchecked Sendable {  // `listener` is set before the thread starts.
    /// As the kernel takes it; it cuts this to net.core.somaxconn.
    private static let backlog: Int32 = 4096
    /// A pause when the process has no descriptors left: nothing else would make the loop wait.
    private static let exhaustedPauseMicroseconds: UInt32 = 20_000

    private let listener: Int32
    private let stopDescriptor: Int32
    private let loops: [EventLoop]
    private let limit: Int
    private let count: ConnectionCount
    private let log: Logger
    private var thread: Thread?
    /// Given up for a moment to refuse a client when descriptors run out.
    private var reserve = open("/dev/null", O_RDONLY | O_CLOEXEC)
    private var warnedAt = MonotonicTime(nanoseconds: 0)
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
    }

    private func run() {
        var next = 0
        var descriptors = [
            pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
            pollfd(fd: stopDescriptor, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            poll(&descriptors, 2, -1)
            if descriptors[1].revents != 0 { break }
            while let socket = acceptOne() {
                loops[next].add(socket)
                next = (next + 1) % loops.count
            }
        }
        close(listener)
    }

    private func acceptOne() -> AcceptedSocket? {
        var address = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let descriptor = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                millrace_accept(listener, $0, &size)
            }
        }
        guard descriptor >= 0 else {
            if errno == EMFILE || errno == ENFILE { refuseWithoutDescriptors() }
            return nil
        }
        guard count.enter(limit: limit) else {
            refuse(descriptor)
            return acceptOne()
        }
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(4))
        return AcceptedSocket(
            descriptor: descriptor, isIPv6: Int32(address.ss_family) == AF_INET6)
    }

    /// Says why and closes. What the client sent is read first, or the kernel would answer its
    /// unread bytes with a reset that can overtake the reply.
    private func refuse(_ descriptor: Int32) {
        refused.add()
        let body =
            #"{"type":"about:blank","title":"Service Unavailable","status":503,"code":"too_many_connections","detail":"The connection limit is reached."}"#
        let head =
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n"
            + "Retry-After: 1\r\nConnection: close\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
        var reply = head + body
        reply.withUTF8 {
            _ = send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        shutdown(descriptor, Int32(SHUT_WR))
        var scratch = [UInt8](repeating: 0, count: 4096)
        _ = recv(descriptor, &scratch, scratch.count, Int32(MSG_DONTWAIT))
        close(descriptor)
        warn("the connection limit is reached", ["limit": .integer(Int64(limit))])
    }

    private func refuseWithoutDescriptors() {
        close(reserve)
        let descriptor = accept(listener, nil, nil)
        if descriptor >= 0 { refuse(descriptor) }
        reserve = open("/dev/null", O_RDONLY | O_CLOEXEC)
        warn("the process has no file descriptors left", [:])
        usleep(Acceptor.exhaustedPauseMicroseconds)
    }

    /// At most one warning a second.
    private func warn(_ message: String, _ fields: KeyValuePairs<String, LogValue>) {
        let now = MonotonicTime.now()
        guard now.since(warnedAt) > .seconds(1) else { return }
        warnedAt = now
        log.warning(message, fields)
    }
}
