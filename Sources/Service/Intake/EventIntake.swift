import EventCoding
import HTTPServer
import Ingest
import Journal
import Primitives
import Storage
import Telemetry

/// `POST /events`: from the body to the journal, and back to the client once it is safe.
///
/// A small body is decoded on its event loop; all that one pass of the loop gathers goes to the
/// journal at once. A large or compressed body is decoded by a worker. Either way the journal's
/// committer answers for many requests with one fdatasync.
final class EventIntake: Sendable {
    /// A body up to this is decoded on the event loop: half a millisecond at most.
    private static let inlineBodyBytes = 256 << 10

    let accepted = Counter()
    let rejected = Counter()
    let refusedByJournal = Counter()
    private let journal: Journal
    private let lanes: [IntakeLane]
    private let spareLanes: Locked<[IntakeLane]> = Locked([])
    private let workers: WorkerPool
    private let limits: EventLimits
    private let masking: EventMasking
    private let quarantine: QuarantineInbox
    private let inflateLimits: Inflate.Limits
    private let ackTimeout: Duration
    private let storedWaiters: PositionWaiters
    private let storeVersion: StoreVersion
    /// Nil without Redis: nothing is ever streamed then, so there is nothing to wait for.
    private let streamedWaiters: PositionWaiters?
    /// Of quarantine's changes, for answers that speak of refused events.
    private let quarantineWaiters: PositionWaiters
    private let writer: EventWriter

    init(
        journal: Journal, store: EventStore, workers: WorkerPool, storedWaiters: PositionWaiters,
        streamedWaiters: PositionWaiters? = nil, quarantineWaiters: PositionWaiters,
        writer: EventWriter, options: EventIntakeOptions
    ) {
        self.journal = journal
        self.workers = workers
        self.storedWaiters = storedWaiters
        storeVersion = store.version
        self.quarantineWaiters = quarantineWaiters
        self.writer = writer
        self.streamedWaiters = streamedWaiters
        limits = options.limits
        inflateLimits = options.inflateLimits
        ackTimeout = options.ackTimeout
        let (limits, quarantine) = (options.limits, store.quarantine)
        masking = options.masking
        self.quarantine = quarantine
        let rejected = rejected
        lanes = (0..<options.loops).map { _ in
            IntakeLane(
                limits: limits, masking: options.masking, quarantine: quarantine,
                rejected: rejected)
        }
    }

    /// The handler of `POST /events`. On the request's event loop.
    func handle(_ request: Request, _ responder: Responder) {
        do throws(Problem) {
            let format = try IntakeFormat.of(request)
            let coding = try IntakeCoding.of(request)
            let parameters = try IntakeParameters(request, defaultTimeout: ackTimeout)
            guard coding == nil, request.body.count <= EventIntake.inlineBodyBytes else {
                return try handOver(request, responder, format, coding, parameters)
            }
            let lane = lanes[request.loopIndex]
            let receipt = try lane.take(request, format, parameters)
            // An answer that waits for more than the journal may be a minute away.
            if parameters.ack != .journaled { request.dropBody() }
            enqueue(receipt, request, responder, on: lane)
        } catch {
            refuse(error, request, responder)
        }
    }

    /// Called by each event loop after each pass.
    func passEnded(_ loop: EventLoop) {
        let lane = lanes[loop.index]
        guard let batch = lane.handOver() else { return }
        journal.submit(batch.records) { [self] _, outcome in
            loop.enqueue { [self] in
                complete(batch, outcome)
                lane.giveBack(batch)
            }
        }
    }

    // MARK: Large bodies

    private func handOver(
        _ request: Request, _ responder: Responder, _ format: EventFormat,
        _ coding: Inflate.Coding?, _ parameters: IntakeParameters
    ) throws(Problem) {
        let isQueued = workers.submit { [self] in
            do throws(Problem) {
                if let coding {
                    try IntakeCoding.decode(request, coding, limits: inflateLimits)
                }
                try takeOnWorker(request, responder, format, parameters)
            } catch {
                refuse(error, request, responder)
            }
        }
        guard isQueued else {
            throw Problem(503, "overloaded", "Too many large bodies are waiting.")
        }
    }

    private func takeOnWorker(
        _ request: Request, _ responder: Responder, _ format: EventFormat,
        _ parameters: IntakeParameters
    ) throws(Problem) {
        let lane =
            spareLanes.withLock { $0.popLast() }
            ?? IntakeLane(
                limits: limits, masking: masking, quarantine: quarantine, rejected: rejected)
        defer { spareLanes.withLock { $0.append(lane) } }
        let receipt = try lane.take(request, format, parameters)
        // Its events are in the batch.
        request.dropBody()
        enqueue(receipt, request, responder, on: lane)
        guard let batch = lane.handOver() else { return }
        journal.submit(batch.records) { [self] _, outcome in complete(batch, outcome) }
    }

    // MARK: Answers

    private func enqueue(
        _ receipt: IntakeReceipt, _ request: Request, _ responder: Responder, on lane: IntakeLane
    ) {
        guard receipt.accepted > 0 else {
            let isReachable = receipt.parameters.ack != .streamed || streamedWaiters != nil
            return responder.respond(
                receipt.response(reached: isReachable ? receipt.parameters.ack : .journaled))
        }
        lane.current.waiting.append(
            IntakeBatch.Waiting(responder: responder, request: request, receipt: receipt))
    }

    private func complete(_ batch: IntakeBatch, _ outcome: JournalOutcome) {
        switch outcome {
        case .committed(_, let last):
            for waiting in batch.waiting { committed(waiting, last) }
        case .full:
            let problem = Problem(
                503, "journal_full", "The journal is full; nothing was taken.",
                retryAfterSeconds: 1)
            for waiting in batch.waiting { refuseWaiting(waiting, problem) }
        case .unwritable:
            let problem = Problem(
                503, "journal_unwritable", "The journal cannot be written; nothing was taken.",
                retryAfterSeconds: 1)
            for waiting in batch.waiting { refuseWaiting(waiting, problem) }
        }
    }

    private func committed(_ waiting: IntakeBatch.Waiting, _ last: UInt64) {
        accepted.add(waiting.receipt.accepted)
        let refused = waiting.receipt.refused
        guard !refused.isEmpty else { return acknowledge(waiting, last) }
        let position = quarantine.add(held: refused)
        writer.attend()
        quarantineWaiters.add(position, waiting.receipt.quarantineDeadline) { [self] isKept in
            var waiting = waiting
            waiting.receipt.refused = []
            waiting.receipt.quarantined = isKept ? refused.count : 0
            acknowledge(waiting, last)
        }
    }

    private func acknowledge(_ waiting: IntakeBatch.Waiting, _ last: UInt64) {
        let deadline = waiting.receipt.ackDeadline
        switch (waiting.receipt.parameters.ack, streamedWaiters) {
        case (.stored, _):
            writer.hurry()
            storedWaiters.add(last, deadline) { [self] isStored in
                let reached: AckLevel =
                    isStored
                    ? .stored : streamedWaiters?.has(last) == true ? .streamed : .journaled
                if isStored { storeVersion.promise() }
                waiting.responder.respond(waiting.receipt.response(reached: reached))
            }
        case (.streamed, let streamedWaiters?):
            streamedWaiters.add(last, deadline) { isStreamed in
                waiting.responder.respond(
                    waiting.receipt.response(reached: isStreamed ? .streamed : .journaled))
            }
        case (.streamed, nil), (.journaled, _):
            waiting.responder.respond(waiting.receipt.response(reached: .journaled))
        }
    }

    private func refuseWaiting(_ waiting: IntakeBatch.Waiting, _ problem: Problem) {
        refusedByJournal.add(waiting.receipt.accepted)
        // The client sends the whole body again.
        quarantine.letGo(waiting.receipt.refused)
        let receipt = waiting.receipt
        receipt.quota?.giveBack(events: receipt.accepted + receipt.rejected)
        waiting.responder.respond(problem, waiting.request)
    }

    private func refuse(_ problem: Problem, _ request: Request, _ responder: Responder) {
        responder.respond(problem, request)
    }
}

/// What `EventIntake` is configured with.
struct EventIntakeOptions {
    var loops: Int
    var limits: EventLimits
    var inflateLimits: Inflate.Limits
    var ackTimeout: Duration
    var masking: EventMasking
}
