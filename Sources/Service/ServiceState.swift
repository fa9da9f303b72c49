import Events
import Storage
import Synchronization

/// Whether the service can do its work, as `/readyz` and `/status` tell.
final class ServiceState: Sendable {
    enum Verdict { case ok, degraded, failed }

    struct Component {
        let name: String
        /// One word for people and machines.
        let word: String
        let verdict: Verdict
    }

    private let draining = Atomic<Bool>(false)
    private let journal: Journal
    private let store: EventStore
    private let writer: EventWriter

    init(journal: Journal, store: EventStore, writer: EventWriter) {
        self.journal = journal
        self.store = store
        self.writer = writer
    }

    var isDraining: Bool { draining.load(ordering: .acquiring) }
    func beginDrain() { draining.store(true, ordering: .releasing) }

    var components: [Component] {
        let health = journal.status.health
        let failure = writer.failure
        return [
            Component(
                name: "journal", word: health.name, verdict: health == .ok ? .ok : .failed),
            Component(
                name: "store", word: failure == nil ? "ok" : "failed",
                verdict: failure == nil ? .ok : .failed),
            Component(name: "redis_streams", word: "disabled", verdict: .ok),
            Component(name: "redis_cache", word: "disabled", verdict: .ok),
        ]
    }
}
