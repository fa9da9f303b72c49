import Primitives

/// The erasures that this process knows of, for the parts that hold copies of events. Any thread.
///
/// The writer's thread adds an erasure in between two batches, with the moment it begins: a record
/// of the journal, a row, and an *epoch*, which counts the additions. What was acknowledged before
/// is erased wherever it comes from, later events are not touched.
///
/// A matcher stays in force here until the process ends, also when its erasure has finished: a sink
/// may hold an event in memory for as long as its receiver is away.
package final class ErasureBook: Sendable {
    private struct InForce {
        var matcher: ErasureMatcher
        var barrier: UInt64
        var through: Int64
        var epoch: UInt64
        /// When it began here, milliseconds since 1970.
        var began: Int64
    }

    private struct State {
        /// The oldest first.
        var erasures: [Erasure] = []
        var inForce: [InForce] = []
        var epoch: UInt64 = 0
        var isBeginning = false
        var greatestBarrier: UInt64 = 0
        var greatestThrough: Int64 = 0
        /// Ids of those whose copies are gone, so that the writer may finish them.
        var finishable: Set<String> = []
        var isClosed = false

        var withCopies: Erasure? {
            erasures.first { $0.stage == .copies && !finishable.contains($0.id) }
        }
    }

    /// Of those in force. An event is compared with each, so that is also a bound of time: 256
    /// comparisons take some 20 µs.
    static let inForceLimit = 256

    private let state: Monitor<State>

    package init(_ erasures: [Erasure]) {
        state = Monitor(State())
        for erasure in erasures { add(erasure) }
    }

    // MARK: What is asked of events

    /// Grows with each erasure that begins.
    package var epoch: UInt64 { state.withLock { $0.epoch } }

    /// An erasure has its barrier, perhaps, and is not known here yet. A forwarder that reads the end of
    /// the journal first and this then sends nothing beyond the barrier of an erasure that it does not know.
    package var isBeginning: Bool { state.withLock { $0.isBeginning } }
    func setBeginning(_ value: Bool) { state.withLock { $0.isBeginning = value } }

    /// What is to be erased of the journal's record `sequence`; nil for nothing.
    package func filter(record sequence: UInt64) -> ErasureFilter? {
        filter {
            $0.greatestBarrier >= sequence
        } where: {
            $0.barrier >= sequence
        }
    }

    /// What is to be erased of the row `seq`; nil for nothing.
    package func filter(row seq: Int64) -> ErasureFilter? {
        filter {
            $0.greatestThrough >= seq
        } where: {
            $0.through >= seq
        }
    }

    /// What is to be erased of what was read in an earlier epoch; nil for nothing.
    package func filter(after epoch: UInt64) -> ErasureFilter? {
        filter {
            $0.epoch > epoch
        } where: {
            $0.epoch > epoch
        }
    }

    /// What is to be erased of what came at `time` and was refused; nil for nothing.
    func filter(receivedAt time: Int64) -> ErasureFilter? {
        filter {
            !$0.inForce.isEmpty
        } where: {
            $0.began >= time
        }
    }

    /// What is to be erased of what was read before any of them; nil for nothing.
    var filterOfAll: ErasureFilter? {
        filter {
            !$0.inForce.isEmpty
        } where: { _ in
            true
        }
    }

    /// What erasures are still to delete of the dead letters; nil for nothing.
    var filterOfDeadLetters: ErasureFilter? {
        state.withLock { state in
            let matchers = state.erasures.compactMap { $0.stage <= .deadLetters ? $0.matcher : nil }
            return matchers.isEmpty ? nil : ErasureFilter(matchers)
        }
    }

    private func filter(
        _ isAny: (State) -> Bool, where applies: (InForce) -> Bool
    ) -> ErasureFilter? {
        state.withLock { state in
            guard isAny(state) else { return nil }
            let matchers = state.inForce.filter(applies).map(\.matcher)
            return matchers.isEmpty ? nil : ErasureFilter(matchers)
        }
    }

    // MARK: Progress

    /// All that are known, the newest first.
    package var erasures: [Erasure] { state.withLock { $0.erasures.reversed() } }

    /// Nil if it is not known, or has been forgotten.
    package func erasure(_ id: String) -> Erasure? {
        state.withLock { $0.erasures.first { $0.id == id } }
    }

    /// Waits for an erasure whose copies are to be looked for.
    /// - Returns: the oldest one; nil once the book is closed or the deadline has passed.
    package func nextWithCopies(until deadline: Deadline = .never) -> Erasure? {
        let found = state.wait(until: deadline) { state in
            state.isClosed || state.withCopies != nil
        } then: { state in
            state.isClosed ? nil : state.withCopies
        }
        return found ?? nil
    }

    /// Wakes those who wait, for good.
    package func close() { state.change { $0.isClosed = true } }

    /// The service stops; what has not finished goes on after the next start.
    package var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Returns after `close`, or once the deadline has passed.
    package func waitUntilClosed(_ deadline: Deadline) {
        _ = state.wait(until: deadline, for: { $0.isClosed }, then: { _ in })
    }

    /// No copy is left outside of the store: the writer may finish the erasure.
    package func copiesAreGone(of id: String) {
        state.change { _ = $0.finishable.insert(id) }
    }

    /// Waits until the erasure has finished.
    /// - Returns: false if the deadline passed first.
    package func waitUntilFinished(_ id: String, deadline: Deadline) -> Bool {
        state.wait(until: deadline) { state in
            state.isClosed || state.erasures.contains { $0.id == id && $0.stage == .finished }
        } then: {
            !$0.isClosed
        } ?? false
    }

    // MARK: The writer's thread

    func add(_ erasure: Erasure) {
        state.change { state in
            state.erasures.append(erasure)
            guard let matcher = erasure.matcher else { return }
            state.epoch += 1
            state.inForce.append(
                InForce(
                    matcher: matcher, barrier: erasure.barrier, through: erasure.through,
                    epoch: state.epoch,
                    // One of an earlier run that is past them: what is there now came later.
                    began: erasure.stage > .deadLetters ? .min : WallClock.nowMilliseconds()))
            if state.inForce.count > ErasureBook.inForceLimit { state.inForce.removeFirst() }
            state.greatestBarrier = max(state.greatestBarrier, erasure.barrier)
            state.greatestThrough = max(state.greatestThrough, erasure.through)
        }
    }

    /// What has become of an erasure that is known.
    func update(_ erasure: Erasure) {
        state.change { state in
            guard let index = state.erasures.firstIndex(where: { $0.id == erasure.id }) else {
                return
            }
            state.erasures[index] = erasure
            if erasure.stage == .finished { state.finishable.remove(erasure.id) }
        }
    }

    func forget(_ ids: Set<String>) {
        state.change { $0.erasures.removeAll { ids.contains($0.id) } }
    }

    /// The oldest erasure that the writer has something to do for.
    var nextOfStore: Erasure? {
        state.withLock { state in
            state.erasures.first {
                $0.stage < .copies || $0.stage == .copies && state.finishable.contains($0.id)
            }
        }
    }
}

extension ErasureBook {
    /// Erasures that have not finished.
    package var runningCount: Int { state.withLock { $0.erasures.count { $0.stage < .finished } } }
}
