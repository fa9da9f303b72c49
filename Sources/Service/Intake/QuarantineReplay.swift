import EventCoding
import HTTPServer
import Journal
import Primitives
import Storage

/// `POST /events/quarantine/replay`: refused events are tried again, for example after a limit was
/// raised. What is taken now is journaled like any event and marked; the rest stays.
///
/// The mark follows a moment later, so an event may be tried again although it was taken. Events
/// without an id therefore get one that is always the same, and the store takes them once.
final class QuarantineReplay: Sendable {
    /// Events of one call; `complete` in the answer says whether to call again.
    private static let callLimit = 10_000
    private static let pageLimit = 1000

    /// The counts of one call.
    struct Tally {
        var replayed = 0
        var rejected = 0
        var lastSeq: Int64 = 0
        var isComplete = true
    }

    private let journal: Journal
    private let store: EventStore
    private let limits: EventLimits
    private let masking: EventMasking
    /// Where the next call goes on after one that could not try all.
    private let resumption: Locked<Int64> = Locked(0)

    init(journal: Journal, store: EventStore, limits: EventLimits, masking: EventMasking) {
        self.masking = masking
        self.journal = journal
        self.store = store
        self.limits = limits
    }

    /// What answers `POST /events/quarantine/replay`.
    func job(_ request: Request) throws(Problem) -> WorkerRoute.Job {
        _ = try request.checkedParameters([])
        return { [self] call throws(Problem) in
            let tally = try replay(until: call.deadline)
            var body = ByteBuffer(capacity: 96)
            body.append(#"{"replayed":"#)
            body.append(decimal: tally.replayed)
            body.append(#","rejected":"#)
            body.append(decimal: tally.rejected)
            body.append(#","complete":"#)
            body.append(tally.isComplete ? "true}\n" : "false}\n")
            return .json(200, body)
        }
    }

    /// Tries what is in quarantine, on this thread.
    func replay(until deadline: Deadline) throws(Problem) -> Tally {
        let decoder = EventDecoder(limits: limits, masking: masking)
        var tally = Tally(lastSeq: resumption.withLock { $0 })
        while tally.replayed + tally.rejected < QuarantineReplay.callLimit {
            let rows: [QuarantinedRaw]
            do throws(StorageError) {
                rows = try store.quarantinedRaw(
                    after: tally.lastSeq, limit: QuarantineReplay.pageLimit, deadline: deadline)
            } catch {
                throw Problem(error)
            }
            guard let last = rows.last else {
                resumption.withLock { $0 = 0 }
                return tally
            }
            try replay(rows, decoder, &tally, deadline)
            tally.lastSeq = last.seq
        }
        tally.isComplete = false
        resumption.withLock { $0 = tally.lastSeq }
        return tally
    }

    private func replay(
        _ rows: [QuarantinedRaw], _ decoder: EventDecoder, _ tally: inout Tally,
        _ deadline: Deadline
    ) throws(Problem) {
        var rows = rows
        var batch = JournalBatch()
        var taken: [Int64] = []
        var epoch: UInt64
        repeat {
            // An erasure comes to quarantine after the rows. What is journaled now would lie beyond its
            // last record and stay.
            epoch = store.erasures.epoch
            rows.removeAll { store.isErased($0) }
            batch = JournalBatch()
            taken.removeAll()
            for row in rows {
                var body = ByteBuffer(capacity: row.raw.count)
                body.append(row.raw.span)
                if decode(body.span, row, decoder, batch) { taken.append(row.seq) }
            }
        } while store.erasures.epoch != epoch
        tally.rejected += rows.count - taken.count
        guard !taken.isEmpty else { return }
        try commit(batch, deadline)
        store.quarantine.markReplayed(taken, at: WallClock.nowMilliseconds())
        tally.replayed += taken.count
    }

    /// - Parameter body: with readable padding behind it.
    private func decode(
        _ body: UnsafeRawBufferPointer, _ row: QuarantinedRaw, _ decoder: EventDecoder,
        _ batch: JournalBatch
    ) -> Bool {
        // One refused event is one event: an array that stood where an event belongs stays refused.
        let start = JSONScan.skipSpace(body, from: 0)
        guard start < body.count, body[start] != UInt8(ascii: "[") else { return false }
        let format: EventFormat =
            row.contentType.hasPrefix("application/cloudevents") ? .cloudEvent : .json
        let defaults = EventDefaults(
            source: IntakeLane.anonymousSource.span, now: row.received,
            id: QuarantineReplay.id(of: row))
        do throws(BodyError) {
            return try decoder.decode(body, as: format, defaults: defaults, into: batch) { _ in }
                > 0
        } catch {
            return false
        }
    }

    /// A UUIDv7 (RFC 9562) of when the event came, its place in quarantine, and its bytes.
    private static func id(of row: QuarantinedRaw) -> Key128 {
        let seq = UInt64(truncatingIfNeeded: row.seq)
        let checksum = UInt64(crc32c(row.raw.span))
        return Key128(
            high: UInt64(max(0, row.received)) << 16 | 0x7000 | seq & 0xFFF,
            low: 0x8000_0000_0000_0000 | (seq & 0x3FFF_FFFF) << 32 | checksum)
    }

    /// Waits, on this worker, until the batch is safe.
    private func commit(_ batch: JournalBatch, _ deadline: Deadline) throws(Problem) {
        let outcome = Monitor<JournalOutcome?>(nil)
        journal.submit(batch) { _, result in outcome.change { $0 = result } }
        switch outcome.wait(until: deadline, for: { $0 != nil }, then: { $0 }) ?? nil {
        case .committed: return
        case .full: throw Problem(503, "journal_full", "The journal is full.")
        case .unwritable: throw Problem(503, "journal_unwritable", "The journal cannot be written.")
        case nil: throw Problem(503, "journal_timeout", "The journal did not answer in time.")
        }
    }
}
