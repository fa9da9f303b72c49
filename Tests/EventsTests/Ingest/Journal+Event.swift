import EventCoding
import Primitives
import Storage
import Testing

@testable import Journal

extension Journal {
    /// Commits one record with events of the source `/s`.
    func commit(events: [(id: String, type: String)]) {
        let batch = JournalBatch()
        batch.beginRecord()
        for event in events {
            let fields = [event.id, event.type, "/s"].map { Bytes($0) }
            batch.bytes.append(
                event: EventRow(
                    identity: .client(fields[0].span), time: WallClock.nowMilliseconds(),
                    type: fields[1].span, source: fields[2].span, subject: nil, data: nil,
                    extensions: nil))
            withExtendedLifetime(fields) {}
            batch.endEvent()
        }
        batch.endRecord()
        let outcomes = Outcomes()
        submit(batch, completion: outcomes.completion)
        #expect(outcomes.wait(1).count == 1)
    }
}
