import Primitives
import Resilience
import Storage
import Synchronization
import Telemetry

// DESIGN
//
//     reading ── a batch ──▶ delivering ── every event is taken or dead ──▶ settling ── safe ──┐
//        ▲                    │      ▲                                                         │
//        │                    └──────┘ the receiver fails: wait, and send again                │
//        └─────────────────────────────────────────────────────────────────────────────────────┘
//
// INVARIANTS
// - One batch of a partition is on its way, so the partition's events arrive in their order.
// - A batch is settled once each of its events was taken by the receiver or is a dead letter that no
//   power failure takes from the store; a source goes on only then.
// - While a batch is on its way its source is told so about every `heartbeat`.
// - Returning early, for a stop, settles nothing: the batch is read again after the start.

/// Carries the events of one partition to one sink: a thread that reads a batch, delivers it,
/// settles it, and begins again.
final class SinkLane: Sendable {
    private static let idleWait = Duration.milliseconds(500)
    /// For the source alone: it is near, and work waits when it returns.
    private static let sourceBackoff = Backoff(first: .milliseconds(50), cap: .seconds(1))
    /// Between looks at whether the sinks are stopped.
    private static let settleStep = Duration.milliseconds(250)
    /// Steps after which it is no usual checkpoint that is waited for: 10 s.
    private static let settleSteps = 40

    private let partition: Int
    private let source: any SinkSource
    private let target: SinkTarget
    private let log: Logger
    private let isStopping: Monitor<Bool>
    private let hasFailed = Atomic(false)
    private let requestSize: Locked<SinkRequestSize>

    /// - Parameter isStopping: the sinks' common switch.
    init(
        partition: Int, source: any SinkSource, target: SinkTarget, isStopping: Monitor<Bool>,
        log: Logger
    ) {
        self.partition = partition
        self.source = source
        self.target = target
        self.isStopping = isStopping
        self.log = log
        requestSize = Locked(SinkRequestSize(limit: target.options.batchSize))
    }

    /// The thread's body: returns when the sinks are stopped.
    func run() {
        var failures = 0
        while !isStopping.withLock({ $0 }) {
            do throws(SinkSourceError) {
                guard let batch = try source.next(partition, until: .after(SinkLane.idleWait))
                else {
                    recovered(&failures)
                    continue
                }
                recovered(&failures)
                deliver(batch)
            } catch {
                failed(error, &failures)
                try? pause(SinkLane.sourceBackoff.delay(afterFailures: failures))
            }
        }
    }

    /// Returns early only if the sinks are stopped; the batch is then read again after the start.
    private func deliver(_ batch: SinkBatch) {
        let size = requestSize.withLock { $0 }
        var delivery = SinkDelivery(target, size: size, log: log) {
            [self] (time, returnedCount) throws(SinkDelivery.Stopped) in
            batch.outlived(returnedCount)
            try pause(time, keeping: batch)
        }
        do throws(SinkDelivery.Stopped) {
            if batch.isGivenUp {
                delivery.giveUp(batch.run)
            } else {
                try delivery.deliver(batch.run)
            }
            requestSize.withLock { $0 = delivery.size }
            try settle(batch, delivery.dead)
        } catch {
            // That the service was stopped is nothing that the batch did.
            if batch.isRedelivered, !batch.isGivenUp, batch.setAside == nil {
                batch.outlived(batch.run.count)
                keep(batch)
            }
            log.debug("a sink stops with a batch on its way") {
                $0.add("sink", target.options.name)
            }
        }
    }

    private func settle(
        _ batch: SinkBatch, _ dead: [DeadLetterEntry]
    ) throws(SinkDelivery.Stopped) {
        var (failures, steps) = (0, 0)
        while true {
            let isSettled: Bool
            do throws(SinkSourceError) {
                isSettled = try source.settle(
                    batch, dead: dead, until: .after(SinkLane.settleStep))
            } catch {
                failed(error, &failures)
                try pause(SinkLane.sourceBackoff.delay(afterFailures: failures), keeping: batch)
                continue
            }
            if isSettled { return recovered(&failures) }
            steps += 1
            if steps.isMultiple(of: SinkLane.settleSteps) {
                note(SinkSourceError("what it gave up waits to be stored"))
            }
            try pause(.zero, keeping: batch)
        }
    }

    /// Waits, in steps between which the source is told that the batch is still in work.
    private func pause(
        _ time: Duration, keeping batch: SinkBatch? = nil
    ) throws(SinkDelivery.Stopped) {
        let end = Deadline.after(time)
        while true {
            if let batch { keep(batch) }
            let step = min(end, .after(source.heartbeat))
            let isStopped = isStopping.wait(until: step, for: { $0 }, then: { $0 }) ?? false
            if isStopped { throw SinkDelivery.Stopped() }
            if end.hasPassed { return }
        }
    }

    private func keep(_ batch: SinkBatch) {
        let now = MonotonicTime.now()
        guard now >= batch.keptAt + source.heartbeat else { return }
        batch.keptAt = now
        // What cannot be told now is told at the next beat; there are several before it matters.
        do throws(SinkSourceError) { try source.keep(batch) } catch { note(error) }
    }

    private func recovered(_ failures: inout Int) {
        failures = 0
        if hasFailed.exchange(false, ordering: .relaxed) {
            log.notice("a sink reads its events again") { $0.add("sink", target.options.name) }
        }
    }

    private func failed(_ error: SinkSourceError, _ failures: inout Int) {
        failures += 1
        note(error)
    }

    private func note(_ error: SinkSourceError) {
        guard !hasFailed.exchange(true, ordering: .relaxed) else { return }
        log.warning("a sink cannot read its events") {
            $0.add("sink", target.options.name)
            $0.add("partition", partition)
            $0.add("error", error)
        }
    }
}
