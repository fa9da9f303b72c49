import Primitives
import Synchronization

/// Where the service is between its first moment and its last, which `/readyz` tells.
///
///     starting ── open(state) ──▶ open ── beginDrain() ──▶ draining
///
/// While it starts it reads its journal and its store, and nothing but health is served. It is open
/// once all routes are served, but not ready before the store holds what the journal held at the
/// start.
final class Readiness: Sendable {
    private enum Phase: Int { case starting, open, draining }

    private let phase = Atomic<Int>(Phase.starting.rawValue)
    private let state: Locked<ServiceState?> = Locked(nil)

    var isDraining: Bool { current == .draining }

    /// All routes are served from now on.
    func open(_ state: ServiceState) {
        self.state.withLock { $0 = state }
        _ = phase.compareExchange(
            expected: Phase.starting.rawValue, desired: Phase.open.rawValue, ordering: .releasing)
    }

    /// Requests should go elsewhere from now on.
    func beginDrain() { phase.store(Phase.draining.rawValue, ordering: .releasing) }

    /// What `/readyz` answers.
    struct Answer {
        var isReady: Bool
        var isDegraded: Bool
        var components: [ServiceState.Component]
    }

    var answer: Answer {
        guard let state = state.withLock({ $0 }) else {
            let parts = ["journal", "store"].map {
                ServiceState.Component(name: $0, word: "starting", verdict: .failed)
            }
            return Answer(isReady: false, isDegraded: false, components: parts)
        }
        let components = state.components
        return Answer(
            isReady: current == .open && components.allSatisfy { $0.verdict != .failed },
            isDegraded: components.contains { $0.verdict == .degraded }, components: components)
    }

    private var current: Phase { Phase(rawValue: phase.load(ordering: .acquiring)) ?? .starting }
}
