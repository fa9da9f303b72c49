import HTTPServer
import Journal
import Primitives

/// Requests whose events go to the journal together.
///
/// One event loop, or one worker for a large body, fills it; then the journal has it until its
/// completion. `@unchecked`: handed over whole, never shared.
final class IntakeBatch: @unchecked Sendable {
    struct Waiting {
        let responder: Responder
        let request: Request
        var receipt: IntakeReceipt
    }

    let records = JournalBatch()
    var waiting: [Waiting] = []

    func removeAll() {
        records.removeAll()
        records.bytes.shrink(above: 256 << 10)
        waiting.removeAll(keepingCapacity: true)
    }
}
