import Primitives

/// What sinks want written down, handed over by any thread: dead letters, and how far each sink has
/// come in this store. The writer's thread does so with `maintain`, all of it in one transaction, so
/// a position is never kept without the dead letters that lie before it.
package final class SinkInbox: Sendable {
    enum Change: Sendable {
        case settle(letters: [DeadLetterEntry], sink: String, position: Int64?)
        /// These dead letters were delivered after all, at this time (milliseconds since 1970).
        case replayed([Int64], at: Int64)

        /// Positions alone may wait a little: an older one costs only repeated deliveries after a
        /// crash.
        var isUrgent: Bool {
            if case .settle(let letters, _, _) = self { return !letters.isEmpty }
            return true
        }
    }

    /// Dead letters: 8 MiB are 32 events of the greatest size between two transactions.
    private static let letterRoom = 0
    /// Positions alone: 8 MiB are some 100,000 of them.
    private static let positionRoom = 1
    /// What was delivered after all; one pass of a replay reports 10,000 letters at most, 80 KB.
    private static let replayRoom = 2
    private static let limitBytes = 8 << 20

    let inbox = StoreInbox<Change>(roomLimits: [limitBytes, limitBytes, limitBytes])

    /// Hands dead letters over, and the position after them.
    /// - Parameters:
    ///   - position: all events of the store up to this `seq` are delivered, dead or not wanted;
    ///     nil for a sink that does not read the store.
    /// - Returns: a ticket for `waitUntilDurable`; nil if there is no room at the moment and nothing
    ///   was taken.
    package func settle(
        _ letters: [DeadLetterEntry], sink: String, position: Int64?
    ) -> UInt64? {
        inbox.submit(
            .settle(letters: letters, sink: sink, position: position),
            costBytes: letters.reduce(sink.utf8.count + 64) { $0 + $1.costBytes },
            room: letters.isEmpty ? SinkInbox.positionRoom : SinkInbox.letterRoom)
    }

    /// Notes that these dead letters were delivered after all.
    /// - Returns: a ticket, as `settle`; nil if there is no room.
    @discardableResult
    package func markReplayed(_ seqs: [Int64], at time: Int64) -> UInt64? {
        inbox.submit(
            .replayed(seqs, at: time), costBytes: seqs.count * 8 + 64, room: SinkInbox.replayRoom)
    }

    /// As `StoreInbox.waitUntilWritten`.
    package func waitUntilWritten(_ ticket: UInt64, deadline: Deadline) -> Bool {
        inbox.waitUntilWritten(ticket, deadline: deadline)
    }

    /// As `StoreInbox.waitUntilDurable`.
    package func waitUntilDurable(_ ticket: UInt64, deadline: Deadline) -> Bool {
        inbox.waitUntilDurable(ticket, deadline: deadline)
    }

    /// More than positions waits.
    var isUrgent: Bool { inbox.contains(where: \.isUrgent) }
    var isEmpty: Bool { inbox.isEmpty }
}
