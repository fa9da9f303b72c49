import EventCoding
import Ingest
import Journal
import Primitives

/// Keeps a number of single-event batches waiting at a journal: each is submitted again as soon as
/// it is committed, until the time is over. That happens on the committer's own thread, so no
/// client competes with it for a core.
final class JournalLoad: @unchecked Sendable {  // `state` guards what changes; see `Lane`.
    struct Outcome {
        var count = 0
        var rate = 0.0
        var latency = LatencyRecorder()
    }

    /// One batch and when it was submitted. The journal's between submission and completion.
    private final class Lane: @unchecked Sendable {  // Handed over and back with its batch.
        let batch = JournalBatch()
        var submittedAt = MonotonicTime.now()
    }

    private struct State {
        var outcome = Outcome()
        var waiting: Int
        var lastCompletion = MonotonicTime.now()
        var end = MonotonicTime.now()
        var refusal: JournalOutcome?
    }

    /// Often enough for the journal to have room, seldom enough to cost nothing.
    private static let releaseInterval: UInt64 = 1024

    private let journal: Journal
    private let lanes: [Lane]
    private let state: Monitor<State>

    /// - Parameter waiting: how many batches wait at any time.
    init(on journal: Journal, waiting: Int) throws(BenchFailure) {
        self.journal = journal
        lanes = (0..<waiting).map { _ in Lane() }
        state = Monitor(State(waiting: waiting))
        let decoder = EventDecoder()
        let (body, source) = (Bytes(SampleEvents.single), Bytes("/anonymous"))
        for lane in lanes {
            let defaults = EventDefaults(source: source.span, now: WallClock.nowMilliseconds())
            _ = try attempt("an event") { () throws(BodyError) in
                try decoder.decode(
                    body.span, as: .json, defaults: defaults, into: lane.batch,
                    onRejected: { _ in })
            }
        }
    }

    /// Call once.
    func run(for time: Duration) throws(BenchFailure) -> Outcome {
        let start = MonotonicTime.now()
        state.withLock { $0.end = start + time }
        for lane in lanes { submit(lane) }
        let limit = Deadline.after(time + .seconds(60))
        let last = state.wait(until: limit, for: { $0.waiting == 0 }, then: { $0 })
        guard let last else { throw BenchFailure("batches were not answered within a minute") }
        if let refusal = last.refusal { throw BenchFailure("a batch was refused: \(refusal)") }
        var outcome = last.outcome
        outcome.rate = Double(outcome.count) / last.lastCompletion.since(start).inSeconds
        return outcome
    }

    private func submit(_ lane: Lane) {
        lane.submittedAt = .now()
        journal.submit(lane.batch) { [self] _, outcome in completed(lane, outcome) }
    }

    /// On the committer's thread.
    private func completed(_ lane: Lane, _ outcome: JournalOutcome) {
        let now = MonotonicTime.now()
        if case .committed(_, let last) = outcome, last % JournalLoad.releaseInterval == 0 {
            journal.release(upTo: last, by: EventWriter.consumer)
        }
        let goesOn = state.withLock { state -> Bool in
            guard case .committed = outcome else {
                state.refusal = outcome
                state.waiting -= 1
                return false
            }
            state.outcome.count += 1
            state.outcome.latency.record(from: lane.submittedAt, to: now)
            state.lastCompletion = now
            guard now < state.end, state.refusal == nil else {
                state.waiting -= 1
                return false
            }
            return true
        }
        if goesOn { submit(lane) } else { state.change { _ in } }
    }
}
