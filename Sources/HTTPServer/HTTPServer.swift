import Primitives
import Synchronization
import Telemetry

/// What the loops of one server share.
final class ServerContext: Sendable {
    let log: Logger
    let bodyBudget: BodyBudget
    /// Requests that libmicrohttpd answered by itself.
    let malformed = Counter()
    /// What the drain did not wait for any longer.
    let cutConnections = Counter()
    let cutRequests = Counter()
    private let draining = Atomic<Bool>(false)
    private let deadline = Locked(Deadline.never)

    init(log: Logger, bodyBudget: BodyBudget) {
        self.log = log
        self.bodyBudget = bodyBudget
    }

    var isDraining: Bool { draining.load(ordering: .acquiring) }
    var drainDeadline: Deadline { deadline.withLock { $0 } }

    func drain(until deadline: Deadline) {
        self.deadline.withLock { $0 = deadline }
        draining.store(true, ordering: .releasing)
    }
}

/// The HTTP front: an acceptor and its event loops. It knows no feature: what it serves is its
/// `Application`.
///
///     let server = try HTTPServer(options: options, log: log, Application(router))
///     server.start()
///     server.stop(until: .after(.seconds(30)))
package final class HTTPServer: Sendable {
    private let context: ServerContext
    private let loops: [EventLoop]
    private let acceptor: Acceptor
    private let threads: Locked<[Thread]> = Locked([])
    private let count = ConnectionCount()
    private let paths: Locked<[String]>
    /// The port that clients connect to.
    package let port: UInt16

    /// Opens the socket; connections wait in its backlog until `start`.
    package init(
        options: HTTPServerOptions, log: Logger, _ application: Application
    ) throws(ListenError) {
        let listener: Int32
        (listener, port) = try ListenSocket.open(host: options.host, port: options.port)
        paths = Locked(application.router.templates)
        context = ServerContext(
            log: log,
            bodyBudget: BodyBudget(
                limitBytes: options.bodyMemoryBytes, inflatingBytes: options.inflatingBytes))
        let (context, count) = (context, count)
        loops = (0..<options.loops).map {
            EventLoop(
                index: $0, options: options, server: context, count: count,
                application: application)
        }
        acceptor = Acceptor(
            listener: listener, loops: loops, limit: options.maxConnections, count: count, log: log)
        guard loops.allSatisfy({ $0.open() }) else {
            throw ListenError("libmicrohttpd did not start: memory or files are short")
        }
    }

    package func start() {
        threads.withLock { threads in
            threads = loops.map { loop in
                Thread(name: "http-\(loop.index)", priority: .prompt) { loop.run() }
            }
        }
        acceptor.start()
    }

    /// Serves `application` from now on; its router goes on from the routes of the one before, so that
    /// metrics know each route by the same index.
    package func serve(_ application: Application) {
        paths.withLock { $0 = application.router.templates }
        for loop in loops { loop.enqueue { loop.serve(application) } }
    }

    /// The router's path templates, by index.
    package var templates: [String] { paths.withLock { $0 } }

    /// Runs `task` on the thread of loop `index`; drops it if the server has stopped.
    package func enqueue(on index: Int, _ task: @escaping @Sendable () -> Void) {
        loops[index].enqueue(task)
    }

    /// Stops accepting, lets the requests in flight finish until `deadline`, then closes, and logs
    /// how many were cut off by that.
    package func stop(until deadline: Deadline) {
        acceptor.stop()
        context.drain(until: deadline)
        for loop in loops { loop.enqueue {} }
        for thread in threads.withLock({ $0 }) { thread.join() }
        threads.withLock { $0 = [] }
        let (requests, connections) = (context.cutRequests.count, context.cutConnections.count)
        guard connections > 0 else { return }
        context.log.warning("the shutdown timeout cut off clients") {
            $0.add("requests", requests)
            $0.add("connections", connections)
        }
    }

    /// What bodies take in memory.
    package var bodyBudget: BodyBudget { context.bodyBudget }
    package var openConnections: Int { count.current }
    package var refusedConnections: UInt64 { acceptor.refused.count }
    /// Requests that were answered without a handler, as no HTTP.
    package var malformedRequests: UInt64 { context.malformed.count }
    package var metrics: [RequestMetrics] { loops.map(\.metrics) }
}
