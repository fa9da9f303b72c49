import HTTPServer
import Primitives
import Storage
import Telemetry

/// What a job on a worker is given.
struct WorkerCall: Sendable {
    /// The job's alone until it has answered.
    let request: Request
    /// Counted from when the request was complete, so waiting for a worker is part of it.
    let deadline: Deadline
    private let responder: Responder

    init(request: Request, deadline: Deadline, responder: Responder) {
        self.request = request
        self.deadline = deadline
        self.responder = responder
    }

    /// Whether the client was seen to leave; asked now and then by long work.
    var isAbandoned: Bool { responder.isAbandoned }
}

/// The one way to answer a request on a worker thread: with a deadline, and with a 503 when too many
/// wait already.
///
///     let readers = WorkerRoute(workers: pool, timeout: .seconds(5))
///     router.on(.get, "/events", access: .eventsRead, bodyLimit: .none, readers.handler { request in
///         let wanted = try parameters(request)                // On the event loop: quick, or a 400.
///         return { call in try list(wanted, call.deadline) }  // On a worker: may block.
///     })
struct WorkerRoute: Sendable {
    /// Answers on a worker.
    typealias Job = @Sendable (WorkerCall) throws(Problem) -> Response

    let workers: WorkerPool
    let timeout: Duration
    /// The answer when too many wait.
    var refusal = Problem.overloaded
    /// Its work is expected to take long, and may not have every thread.
    var isLong = false

    /// - Parameter prepare: reads what costs little, on the event loop, and says what is to be done.
    func handler(
        _ prepare: @escaping @Sendable (Request) throws(Problem) -> Job
    ) -> Handler {
        { request, responder in
            do throws(Problem) {
                try submit(try prepare(request), request, responder)
            } catch {
                responder.respond(error, request)
            }
        }
    }

    /// A job that asks a store. What the store fails with is logged with `message`.
    static func job(
        _ message: StaticString, to log: Logger,
        _ ask: @escaping @Sendable (Deadline) throws(StorageError) -> Response
    ) -> Job {
        { call throws(Problem) in
            do throws(StorageError) {
                return try ask(call.deadline)
            } catch {
                let problem = Problem(error)
                if problem.code == "store_unavailable", let cause = error.cause {
                    call.request.log(message, cause, to: log)
                }
                throw problem
            }
        }
    }

    private func submit(
        _ job: @escaping Job, _ request: Request, _ responder: Responder
    ) throws(Problem) {
        let call = WorkerCall(
            request: request, deadline: .after(timeout), responder: responder)
        let isQueued = workers.submit(for: request.principal.name, isLong: isLong) {
            do throws(Problem) {
                var response = try request.correlated { () throws(Problem) in try job(call) }
                response.codingDeadline = call.deadline
                responder.respond(response)
            } catch {
                responder.respond(error, request)
            }
        }
        guard isQueued else { throw refusal }
    }
}

extension Problem {
    static let overloaded = Problem(503, "overloaded", "Too many requests wait for the store.")
    static let replaysRunning = Problem(
        503, "overloaded", "Other replays are running.", retryAfterSeconds: 10)
}
