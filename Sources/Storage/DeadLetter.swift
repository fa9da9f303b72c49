import Primitives

/// An event that a sink's receiver refused for good, or that was given up, on its way into the table
/// of dead letters.
package struct DeadLetterEntry: Sendable {
    package var sink: String
    /// When it was given up, in milliseconds since 1970.
    package var time: Int64
    /// The HTTP status of the last refusal, or `neverRefused`.
    package var status: Int
    /// How often it was refused by itself.
    package var refusals: Int
    /// The event as CloudEvents JSON.
    package var event: Bytes

    package init(sink: String, time: Int64, status: Int, refusals: Int, event: Bytes) {
        self.sink = sink
        self.time = time
        self.status = status
        self.refusals = refusals
        self.event = event
    }

    /// The status of an event that was given up without being sent: it was delivered to this group
    /// again and again and never came through.
    package static let neverRefused = 0

    /// What it costs to hold in memory, roughly.
    var costBytes: Int { event.count + sink.utf8.count + 128 }
}

/// A dead letter as it is kept.
package struct DeadLetter: Sendable {
    package let seq: Int64
    package let sink: String
    /// When it was given up, in milliseconds since 1970.
    package let time: Int64
    /// As in `DeadLetterEntry`.
    package let status: Int
    package let refusals: Int
    /// When it was delivered after all, in milliseconds since 1970; nil while it was not.
    package let replayed: Int64?
    /// The event as CloudEvents JSON.
    package let event: Bytes
}

/// How many dead letters are kept, of all sinks together; beyond it the oldest go, and are counted.
package struct DeadLetterLimits: Sendable {
    package var rows: Int64
    /// Of `event`.
    package var bytes: Int64

    /// 100,000 rows and 256 MiB, as for quarantine: days of a receiver that refuses everything,
    /// which costs it some ten requests an event, and never the whole disk.
    package init(rows: Int64 = 100_000, bytes: Int64 = 256 << 20) {
        self.rows = rows
        self.bytes = bytes
    }
}
