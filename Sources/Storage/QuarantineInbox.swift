import Primitives
import Telemetry

/// What is to change in quarantine, handed over by any thread; the writer's thread makes it so
/// with its next batch or `maintain`. Full means refused and counted: nobody waits for room, and a
/// flood of bad events cannot keep the writer from the good ones.
///
/// Who promises something about refused events holds them first, adds them once the others of
/// their body are safe, and then waits until `onKept` tells of the number that `add` returned.
///
/// What was acknowledged to a client before it turned out to be unreadable may have its only copy
/// here. It has room of its own, whatever clients send meanwhile (`settle`), and its source is let
/// go of only when the ticket is reached.
package final class QuarantineInbox: Sendable {
    enum Change: Sendable {
        case add(QuarantineEntry)
        /// These were tried again with success, at this time (milliseconds since 1970).
        case replayed([Int64], at: Int64)
        case delete([Int64])
    }

    /// What clients send, what is tried again, and what is deleted.
    private static let clientRoom = 0
    /// What was acknowledged upstream.
    private static let settledRoom = 1

    /// 8 MiB: 32 events of the usual greatest size, or some 10,000 small ones, between two batches.
    /// A single entry that is larger (`--event-limit` may be 16 MiB) is taken when nothing else
    /// waits. Acknowledged entries may have as much again.
    private static let limitBytes = 8 << 20
    /// Of refused events a second, after 8 MiB at once: some 7,000 small ones, which cost the
    /// writer about a twentieth of its time.
    private static let bytesPerSecond = 2 << 20

    let inbox = StoreInbox<Change>(roomLimits: [limitBytes, limitBytes])
    private let allowance = Locked(
        ByteAllowance(burstBytes: limitBytes, bytesPerSecond: bytesPerSecond))
    private let droppedCount = Counter()

    /// - Parameter now: when it came, by which the allowance of clients is counted.
    /// - Returns: false if the inbox is full; the entry is then gone, and counted.
    @discardableResult
    package func add(_ entry: QuarantineEntry, at now: MonotonicTime = .now()) -> Bool {
        guard hold(entry, at: now) else { return false }
        add(held: [entry])
        return true
    }

    /// Makes room for an entry that may be added later. Any thread.
    /// - Returns: false if there is none; the entry is then gone, and counted.
    package func hold(_ entry: QuarantineEntry, at now: MonotonicTime = .now()) -> Bool {
        let cost = entry.costBytes
        let isHeld = allowance.withLock { allowance in
            guard allowance.covers(cost, at: now),
                inbox.reserve(costBytes: cost, room: QuarantineInbox.clientRoom)
            else { return false }
            allowance.spend(cost)
            return true
        }
        if !isHeld { droppedCount.add() }
        return isHeld
    }

    /// Hands over what was held. Any thread.
    /// - Returns: what `onKept` reaches once all of it is in the store.
    @discardableResult
    package func add(held entries: [QuarantineEntry]) -> UInt64 {
        inbox.submit(
            reserved: entries.map { (.add($0), $0.costBytes) }, room: QuarantineInbox.clientRoom)
    }

    /// Hands over what was acknowledged upstream: clients' bad events cannot keep it out. Any thread.
    /// - Returns: a ticket for `waitUntilWritten` and `waitUntilDurable`; nil if there is no room at
    ///   the moment and nothing was taken: ask again later.
    package func settle(_ entry: QuarantineEntry) -> UInt64? {
        inbox.submit(
            .add(entry), costBytes: entry.costBytes, room: QuarantineInbox.settledRoom)
    }

    /// As `StoreInbox.waitUntilWritten`.
    package func waitUntilWritten(
        _ ticket: UInt64, deadline: Deadline, isCancelled: () -> Bool = { false }
    ) -> Bool {
        inbox.waitUntilWritten(ticket, deadline: deadline, isCancelled: isCancelled)
    }

    /// As `StoreInbox.waitUntilDurable`.
    package func waitUntilDurable(
        _ ticket: UInt64, deadline: Deadline, isCancelled: () -> Bool = { false }
    ) -> Bool {
        inbox.waitUntilDurable(ticket, deadline: deadline, isCancelled: isCancelled)
    }

    /// Forgets what was held: it is not refused after all, but its whole body is.
    package func letGo(_ entries: [QuarantineEntry]) {
        inbox.release(
            costBytes: entries.reduce(0) { $0 + $1.costBytes }, room: QuarantineInbox.clientRoom)
    }

    /// Calls `observer` whenever changes are in the store, with the number of the last of them. On
    /// the writer's thread: be quick, and do not call the store.
    package func onKept(_ observer: @escaping @Sendable (UInt64) -> Void) {
        inbox.onWritten(observer)
    }

    /// Notes that these rows were tried again with success.
    @discardableResult
    package func markReplayed(_ seqs: [Int64], at time: Int64) -> Bool {
        submit(.replayed(seqs, at: time), rows: seqs.count)
    }

    @discardableResult
    package func delete(_ seqs: [Int64]) -> Bool { submit(.delete(seqs), rows: seqs.count) }

    /// Changes that found the inbox full, since start.
    package var dropped: UInt64 { droppedCount.count }
    package var isEmpty: Bool { inbox.isEmpty }

    private func submit(_ change: Change, rows: Int) -> Bool {
        let ticket = inbox.submit(
            change, costBytes: rows * 8 + 64, room: QuarantineInbox.clientRoom)
        if ticket == nil { droppedCount.add() }
        return ticket != nil
    }
}

/// How many bytes may come at a time: a token bucket. What is larger than the whole burst needs all
/// of it, and owes what it takes beyond.
struct ByteAllowance {
    private let burstBytes: Double
    private let bytesPerSecond: Double
    /// As of `refilled`.
    private var leftBytes: Double
    private var refilled = MonotonicTime.now()

    init(burstBytes: Int, bytesPerSecond: Int) {
        self.burstBytes = Double(burstBytes)
        self.bytesPerSecond = Double(bytesPerSecond)
        leftBytes = Double(burstBytes)
    }

    /// Whether `bytes` may come now.
    mutating func covers(_ bytes: Int, at now: MonotonicTime) -> Bool {
        leftBytes = min(
            burstBytes, leftBytes + now.since(refilled).inSeconds * bytesPerSecond)
        refilled = now
        return leftBytes >= min(Double(bytes), burstBytes)
    }

    mutating func spend(_ bytes: Int) { leftBytes -= Double(bytes) }
}
