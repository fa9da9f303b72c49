import EventCoding
import Primitives
import Storage

/// Where a sink's events come from: this node's store, or streams whose consumer group nodes share.
///
/// A lane, which is a thread, serves each partition: it asks for the next batch once it has settled
/// the one before, so there is one batch of a partition on its way at a time.
protocol SinkSource: Sendable {
    var partitions: Int { get }
    /// How often it must be told that a batch is still being worked on.
    var heartbeat: Duration { get }

    /// Waits for events.
    /// - Returns: nil if there are none until `deadline`.
    func next(_ partition: Int, until deadline: Deadline) throws(SinkSourceError) -> SinkBatch?

    /// Says that the batch is still being worked on. Called about every `heartbeat`.
    func keep(_ batch: SinkBatch) throws(SinkSourceError)

    /// Every event of the batch is delivered or among `dead`: goes on behind it, once those are
    /// safe. Called again with the same arguments until it returns true.
    /// - Returns: false if those are not safe yet at the deadline.
    func settle(
        _ batch: SinkBatch, dead: [DeadLetterEntry], until deadline: Deadline
    ) throws(SinkSourceError) -> Bool

    /// Events (of a stream: entries) that are still to be delivered, wanted or not; nil if unknown.
    var lag: Int64? { get }
    /// Events (of a stream: entries) that were gone before they could be delivered, or unreadable,
    /// since start.
    var lost: UInt64 { get }
    /// Entries of a stream that Redis had delivered before, since start.
    var redelivered: UInt64 { get }
    /// The partitions whose new entries this node reads now; nil where no nodes share them.
    var ownPartitions: [Int]? { get }
}

/// Why a source cannot be read at the moment. Everything here may be tried again.
struct SinkSourceError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Some events of one partition. The lane's thread only.
final class SinkBatch {
    let partition: Int
    /// Those that the sink wants.
    let run = EventRun()
    /// From a store: all rows up to this have been looked at.
    var position: Int64 = 0
    /// From a stream: what to acknowledge.
    private(set) var entries: [StreamEntryID] = []
    /// From a stream: what goes to quarantine, before its entry is acknowledged.
    var setAside: QuarantineEntry?
    /// From a stream: its entries were delivered before.
    var isRedelivered = false
    /// From a stream: it was delivered so often that it is not sent any more.
    var isGivenUp = false
    /// From a stream: so many of its first entries are not what ends this process. An attempt to
    /// deliver events of theirs came back, whatever the receiver said to it.
    private(set) var outlivedCount = 0
    /// When the source was last told that it is still being worked on.
    var keptAt = MonotonicTime.now()
    /// The ticket of what was handed over to be kept, so that a repeated `settle` does not.
    var ticket: UInt64?
    /// For each entry, how many events of `run` come before it.
    private var starts: [Int] = []

    init(partition: Int) { self.partition = partition }

    /// The events that are appended from now on are those of `entry`.
    func begin(_ entry: StreamEntryID) {
        entries.append(entry)
        starts.append(run.count)
    }

    /// So many events of `run` were part of an attempt that came back.
    func outlived(_ eventCount: Int) {
        let isWhole = eventCount >= run.count
        let count = isWhole ? entries.count : starts.prefix { $0 < eventCount }.count
        guard count > outlivedCount else { return }
        outlivedCount = count
        // The source is told at once: restarts may follow each other fast.
        if isRedelivered { keptAt = MonotonicTime(nanoseconds: 0) }
    }
}
