import EventCoding
import HTTPServer
import Primitives
import Storage
import Telemetry

/// What one thread needs to take in events: an event loop has one for good, a worker borrows one.
final class IntakeLane: @unchecked Sendable {  // Its loop's thread, or the worker that holds it.
    private let decoder: EventDecoder
    private let masking: EventMasking
    private let quarantine: QuarantineInbox
    private let rejected: Counter
    private var ids = UUIDv7Generator()
    /// Of the body at hand; kept for its memory.
    private var errors = ItemErrors()
    private var free: [IntakeBatch] = []
    private(set) var current = IntakeBatch()

    /// Batches kept for reuse: more are never on their way at once but under a slow disk.
    private static let freeLimit = 4
    /// Of one body; the rest is only counted: 1,000 tell what is wrong with a client.
    private static let quarantineLimit = 1000
    /// The source of events that name none, where there are no keys.
    static let anonymousSource = Bytes("/anonymous")

    /// - Parameter rejected: counts every refused event, also of bodies of which nothing is taken.
    init(
        limits: EventLimits, masking: EventMasking, quarantine: QuarantineInbox, rejected: Counter
    ) {
        decoder = EventDecoder(limits: limits, masking: masking)
        self.masking = masking
        self.quarantine = quarantine
        self.rejected = rejected
    }

    /// Decodes the body of `request` into the current batch.
    /// - Returns: the receipt; its events, if any, are in the batch.
    /// - Throws: what the client is told; the batch is then as it was.
    func take(
        _ request: Request, _ format: EventFormat, _ parameters: IntakeParameters
    ) throws(Problem) -> IntakeReceipt {
        let now = WallClock.nowMilliseconds()
        let mark = current.records.mark
        errors.removeAll()
        var refused: [QuarantineEntry] = []
        // A replay asks no key, so what a bound key may not send must not wait for one.
        let isKept = request.principal.types.isEmpty
        let accepted: Int
        do throws(BodyError) {
            accepted = try decoder.decode(
                request.body.span, as: format,
                defaults: defaults(request.principal, now),
                into: current.records
            ) { event in
                errors.add(
                    index: event.index, line: event.line, code: event.code,
                    detail: event.detail, limit: event.limit)
                if !parameters.isStrict, isKept, refused.count < IntakeLane.quarantineLimit {
                    let entry = entry(event, format, request, now)
                    if quarantine.hold(entry) { refused.append(entry) }
                }
            }
        } catch {
            quarantine.letGo(refused)
            throw Problem(error)
        }
        let count = errors.count
        rejected.add(count)
        let quota = request.principal.quota
        quota?.spend(events: accepted + count, at: .now())
        if count > 0, parameters.isStrict || accepted == 0 {
            current.records.rollback(to: mark)
            quarantine.add(held: refused)
            throw IntakeLane.nothingTaken(errors.json, isStrict: parameters.isStrict)
        }
        if accepted > 0 { current.records.traces.add(request.trace) }
        return IntakeReceipt(
            batchID: ids.next(milliseconds: now), accepted: accepted, rejected: count,
            errors: errors.json, refused: refused, parameters: parameters,
            quota: quota, received: request.received)
    }

    private func defaults(_ principal: Principal, _ now: Int64) -> EventDefaults {
        EventDefaults(
            source: principal.source.span, now: now,
            types: principal.types.isEmpty ? nil : EventTypePatterns(principal.types))
    }

    /// The current batch, if it holds anything; a fresh one takes its place.
    func handOver() -> IntakeBatch? {
        guard !current.waiting.isEmpty else { return nil }
        defer { current = free.popLast() ?? IntakeBatch() }
        return current
    }

    func giveBack(_ batch: IntakeBatch) {
        guard free.count < IntakeLane.freeLimit else { return }
        batch.removeAll()
        free.append(batch)
    }

    private func entry(
        _ event: RejectedEvent, _ format: EventFormat, _ request: Request, _ now: Int64
    ) -> QuarantineEntry {
        var contentType = request.mediaType ?? ""
        // It is kept in structured mode, and tried again by that mode's rules.
        if case .binary = format { contentType = "application/cloudevents+json" }
        return QuarantineEntry(
            received: now, code: event.code, detail: event.detail,
            contentType: contentType, raw: masking.kept(event.raw),
            preview: masking.preview(event.raw))
    }

    private static func nothingTaken(_ errors: Bytes?, isStrict: Bool) -> Problem {
        var problem =
            isStrict
            ? Problem(422, "strict_batch_rejected", "An event is bad, so none was taken.")
            : Problem(422, "all_events_rejected", "No event of the body could be taken.")
        problem.errors = errors
        return problem
    }
}

extension Problem {
    init(_ error: BodyError) {
        self.init(
            error.reason == .tooManyItems ? 413 : 400, error.code, error.detail,
            limit: error.limit, offset: error.offset)
    }
}
