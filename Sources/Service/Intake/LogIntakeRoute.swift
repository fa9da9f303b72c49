import HTTPServer
import Logs
import Primitives

/// `POST /logs`: from the body to the queue of the store.
///
/// A small body is read on its event loop, a large or compressed one by a worker of low priority,
/// since logs give way to events. The answer says what is queued: masked, and to be written within
/// a fraction of a second.
final class LogIntakeRoute: Sendable {
    /// A body up to this is read and masked on the event loop: some ten microseconds.
    private static let inlineBodyBytes = 8 << 10

    /// What one thread needs.
    private final class Lane: @unchecked Sendable {  // Its loop's thread, or the worker with it.
        let decoder: LogDecoder

        init(_ intake: LogIntake) { decoder = LogDecoder(intake.writer(), intake.limits) }
    }

    private let intake: LogIntake
    private let workers: WorkerPool
    private let inflateLimits: Inflate.Limits
    private let lanes: [Lane]
    private let spareLanes: Locked<[Lane]> = Locked([])

    init(_ intake: LogIntake, workers: WorkerPool, loops: Int, inflateLimits: Inflate.Limits) {
        self.intake = intake
        self.workers = workers
        self.inflateLimits = inflateLimits
        lanes = (0..<loops).map { _ in Lane(intake) }
    }

    func register(on router: inout Router) {
        router.on(.post, "/logs", access: .logsWrite, bodyLimit: .standard) { [self] in
            handle($0, $1)
        }
    }

    /// The handler. On the request's event loop.
    private func handle(_ request: Request, _ responder: Responder) {
        do throws(Problem) {
            let format = try LogBodyFormat.of(request)
            let coding = try IntakeCoding.of(request)
            _ = try request.checkedParameters([])
            guard !intake.isAtCap else { throw .logsAtCap }
            guard !intake.isFull else { throw .logsOverloaded }
            if coding == nil, request.body.count <= LogIntakeRoute.inlineBodyBytes {
                return responder.respond(try take(request, format, lanes[request.loopIndex]))
            }
            let isQueued = workers.submit { [self] in
                do throws(Problem) {
                    if let coding {
                        try IntakeCoding.decode(request, coding, limits: inflateLimits)
                    }
                    responder.respond(try takeOnWorker(request, format))
                } catch {
                    responder.respond(error, request)
                }
            }
            guard isQueued else { throw .logsOverloaded }
        } catch {
            responder.respond(error, request)
        }
    }

    private func takeOnWorker(
        _ request: Request, _ format: LogDecoder.Format
    ) throws(Problem) -> Response {
        let lane = spareLanes.withLock { $0.popLast() } ?? Lane(intake)
        defer { spareLanes.withLock { $0.append(lane) } }
        return try take(request, format, lane)
    }

    private func take(
        _ request: Request, _ format: LogDecoder.Format, _ lane: Lane
    ) throws(Problem) -> Response {
        var errors = ItemErrors()
        let batch: LogBatch
        do throws(BodyError) {
            batch = try lane.decoder.decode(
                request.body.span, as: format, now: WallClock.nowMilliseconds()
            ) {
                errors.add(
                    index: $0.index, line: $0.line, code: $0.fault.code, detail: $0.fault.detail)
            }
        } catch {
            throw Problem(error)
        }
        // Its records are in the batch.
        request.dropBody(above: LogIntakeRoute.inlineBodyBytes)
        intake.counters.rejected.add(errors.count)
        guard !batch.isEmpty || errors.count == 0 else {
            var problem = Problem(
                422, "all_records_rejected", "No record of the body could be taken.")
            problem.errors = errors.json
            throw problem
        }
        guard intake.submit(batch) else { throw .logsOverloaded }
        var body = ByteBuffer(capacity: 256)
        body.append(#"{"accepted":"#)
        body.append(decimal: batch.count)
        body.append(#","rejected":"#)
        body.append(decimal: errors.count)
        ItemErrors.end(&body, errors.json, count: errors.count)
        return .json(202, body)
    }
}

extension Problem {
    /// 503 and not 429, on which released OpenTelemetry SDKs throw the batch away.
    static let logsOverloaded = Problem(
        503, "logs_overloaded", "Too many logs wait to be written; nothing was taken.",
        retryAfterSeconds: 1)

    /// It lasts: a day has to end, or logs to be erased.
    static let logsAtCap = Problem(
        503, "logs_at_cap",
        "The logs of days that are not over take all of --logs-max-bytes; nothing was taken.",
        retryAfterSeconds: 60)
}
