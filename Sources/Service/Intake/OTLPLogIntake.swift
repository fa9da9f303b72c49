import HTTPServer
import Logs
import OTLPMessages
import Primitives

/// `POST /v1/logs`: OTLP over HTTP, in Protocol Buffers and in JSON. What it reads goes the same way
/// as what `POST /logs` reads: masked, then queued.
///
/// A small body is read on its event loop, a large or compressed one by a worker. The body is read
/// as a whole before anything of it is queued, so a body that is broken in the middle leaves
/// nothing behind.
final class OTLPLogIntake: Sendable {
    /// What one thread needs to read a body. One thread at a time uses it.
    private final class Lane: @unchecked Sendable {  // The thread that took it from `lanes`.
        let writer: LogBatchWriter
        var protobuf: OTLPLogsReader
        var json: OTLPLogsJSONReader

        init(_ intake: LogIntake, _ limits: OTLPLimits) {
            writer = intake.writer()
            protobuf = OTLPLogsReader(limits)
            json = OTLPLogsJSONReader(limits)
        }
    }

    /// A body up to this is read on the event loop: some tens of microseconds.
    private static let inlineBodyBytes = 16 << 10
    /// Lanes kept for the next body: more are never in use but with more loops and workers.
    private static let spareLaneLimit = 16

    private let intake: LogIntake
    private let workers: WorkerPool
    private let inflateLimits: Inflate.Limits
    private let limits: OTLPLimits
    private let lanes: Locked<[Lane]> = Locked([])

    init(_ intake: LogIntake, workers: WorkerPool, inflateLimits: Inflate.Limits) {
        self.intake = intake
        self.workers = workers
        self.inflateLimits = inflateLimits
        var limits = OTLPLimits()
        limits.records = intake.limits.recordsPerBatch
        limits.recordBytes = intake.limits.rawRecordBytes
        self.limits = limits
    }

    func register(on router: inout Router) {
        router.on(
            .post, "/v1/logs", access: .logsWrite, bodyLimit: .standard,
            problemForm: OTLPForm.problem
        ) { [self] in handle($0, $1) }
    }

    /// On the request's event loop.
    private func handle(_ request: Request, _ responder: Responder) {
        do throws(Problem) {
            guard let encoding = OTLPForm.encoding(of: request) else {
                throw OTLPForm.unsupportedMediaType
            }
            let coding = try IntakeCoding.of(request)
            _ = try request.checkedParameters([])
            guard !intake.isAtCap else { throw .logsAtCap }
            guard !intake.isFull else { throw .logsOverloaded }
            guard coding == nil, request.body.count <= OTLPLogIntake.inlineBodyBytes else {
                return try handOver(request, responder, encoding, coding)
            }
            responder.respond(try take(request, encoding))
        } catch {
            responder.respond(error, request)
        }
    }

    private func handOver(
        _ request: Request, _ responder: Responder, _ encoding: OTLPEncoding,
        _ coding: Inflate.Coding?
    ) throws(Problem) {
        let isQueued = workers.submit { [self] in
            do throws(Problem) {
                if let coding {
                    try IntakeCoding.decode(request, coding, limits: inflateLimits)
                }
                responder.respond(try take(request, encoding))
            } catch {
                responder.respond(error, request)
            }
        }
        guard isQueued else { throw .logsOverloaded }
    }

    /// Reads the body and queues its records.
    private func take(
        _ request: Request, _ encoding: OTLPEncoding
    ) throws(Problem) -> Response {
        let lane = lanes.withLock { $0.popLast() } ?? Lane(intake, limits)
        defer {
            lanes.withLock { if $0.count < OTLPLogIntake.spareLaneLimit { $0.append(lane) } }
        }
        let partial: OTLPPartialSuccess?
        do throws(OTLPError) {
            partial = try OTLPLogIntake.read(request, encoding, lane)
        } catch {
            lane.writer.discard()
            throw Problem(error, limits)
        }
        intake.counters.rejected.add(Int(partial?.rejected ?? 0))
        guard intake.submit(lane.writer.finish()) else { throw .logsOverloaded }
        return Response(
            200, contentType: encoding.mediaType,
            body: .bytes(OTLPPartialSuccess.reply(partial, encoding)))
    }

    /// - Returns: what was left out; nil if nothing was.
    private static func read(
        _ request: Request, _ encoding: OTLPEncoding, _ lane: Lane
    ) throws(OTLPError) -> OTLPPartialSuccess? {
        let now = WallClock.nowMilliseconds()
        let latest = (now + LogLimits.aheadMilliseconds) * 1_000_000
        let writer = lane.writer
        var (early, beyondLimit) = (0, 0)
        let limitBytes = LogLimits.batchBytes
        func take(_ record: OTLPLogRecord) {
            let record = LogRecord(record, now: now * 1_000_000)
            if record.time > latest {
                early += 1
            } else if writer.expandedBytes >= limitBytes {
                beyondLimit += 1
            } else {
                writer.append(record)
            }
        }
        let rejections: OTLPRejections
        switch encoding {
        case .protobuf: rejections = try lane.protobuf.read(request.body.span) { take($0) }
        case .json: rejections = try lane.json.read(request.body.span) { take($0) }
        }
        let rejected = rejections.count + early + beyondLimit
        guard rejected > 0 else { return nil }
        let reason =
            early > 0
            ? LogFault.tooFarInTheFuture.detail
            : "The body's records, each with its resource, take more than \(limitBytes >> 20) MiB."
        return OTLPPartialSuccess(
            rejected: Int64(rejected), message: rejections.reason?.message ?? reason)
    }
}

extension LogRecord {
    /// What OTLP says. Times that are missing are `now`, nanoseconds since 1970; a missing time is
    /// that of its observation.
    fileprivate init(_ record: OTLPLogRecord, now: Int64) {
        let observed = record.observed == 0 ? now : Int64(clamping: record.observed)
        self.init(
            time: record.time == 0 ? observed : Int64(clamping: record.time), observed: observed)
        severity = record.severity
        severityText = record.severityText
        body = record.body
        if record.isJSONBody { flags.insert(.jsonBody) }
        attributes = record.attributes
        resource = record.resource
        service = record.service
        scopeName = record.scopeName
        scopeVersion = record.scopeVersion
        resourceNumber = record.resourceNumber
        scopeNumber = record.scopeNumber
        eventName = record.eventName
        traceFlags = record.flags
        if let id = record.traceID {
            traceID = id
            flags.insert(.trace)
        }
        if let id = record.spanID {
            spanID = id
            flags.insert(.span)
        }
    }
}

extension Problem {
    fileprivate init(_ error: OTLPError, _ limits: OTLPLimits) {
        switch error {
        case .tooManyRecords:
            self.init(413, "too_many_records", error.message, limit: limits.records)
        case .json: self.init(400, "invalid_json", error.message)
        case .truncated, .malformed, .tooDeep, .tooLarge, .wrongType:
            self.init(400, "invalid_otlp", error.message)
        }
    }
}
