import Primitives

/// How far the store has come: what others wait for.
package struct CommitPoint: Sendable, Equatable {
    /// Sequence of the last journal record whose events are in the store and visible to readers.
    package var position: UInt64
    /// Highest `seq` of an event.
    package var lastSeq: Int64

    package init(position: UInt64, lastSeq: Int64) {
        self.position = position
        self.lastSeq = lastSeq
    }
}

/// Those who want to know of every commit.
final class CommitObservers: Sendable {
    typealias Observer = @Sendable (CommitPoint) -> Void

    private struct State {
        var observers: [Int: Observer] = [:]
        var nextToken = 0
    }

    private let state = Locked(State())

    func add(_ observer: @escaping Observer) -> Int {
        state.withLock { state in
            state.nextToken += 1
            state.observers[state.nextToken] = observer
            return state.nextToken
        }
    }

    func remove(_ token: Int) { state.withLock { $0.observers[token] = nil } }

    /// Calls everyone, outside the lock: an observer may remove itself.
    func notify(_ point: CommitPoint) {
        let observers = state.withLock { Array($0.observers.values) }
        for observer in observers { observer(point) }
    }
}
