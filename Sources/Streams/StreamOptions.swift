import EventCoding
import Primitives

/// How this node uses the streams.
package struct StreamOptions: Sendable {
    /// What an entry of a stream holds.
    package enum Encoding: String, CaseIterable, Sendable {
        /// One event: fields `id`, `type`, `event` (CloudEvents JSON) and `origin`.
        case entry
        /// A batch: fields `frame` (gzip of events in the journal's form), `count` and `origin`.
        case frame
    }

    /// Streams that events are spread over.
    package var partitions = 4
    /// This node's name: its consumer's in the group, and the first part of `origin`.
    package var node: String
    /// The consumer group that fills this node's store.
    package var group: String
    package var encoding = Encoding.entry
    /// All partitions together; above it the oldest entries go, read or not.
    package var maxBytes = 1 << 30
    /// Entries older than this go, read or not; nil keeps them.
    package var maxAge: Duration?
    /// How long an entry may lie with another consumer of the group before this one takes it.
    package var claimAfter = Duration.seconds(30)
    /// A consumer that has nothing pending and was idle for so long is removed from its group.
    package var consumerMaxIdle = Duration.seconds(3600)
    /// What events without a source get: it says nothing about them, so it chooses no partition.
    package var anonymousSource = Bytes("/anonymous")

    /// Groups that must be there before acknowledged entries go: when Redis lost them, they would
    /// otherwise miss what is sent again before they are made anew.
    package var expectedGroups: [String] = []

    /// What is masked of events that others have written.
    package var masking = EventMasking()

    package init(node: String, group: String) {
        self.node = node
        self.group = group
    }
}

/// The keys of the streams, prepared.
package struct StreamKeys: Sendable {
    package let names: [String]
    /// A hash: of each node, the last journal record that it has sent (`StreamMark`).
    let mark = "millrace:{0}:sent"
    /// A hash: the groups that Millrace reads with (`GroupRegistry`).
    let registry = "millrace:{0}:groups"
    /// Of each stream, the id below which a cap has left nothing; not there before it ever did.
    let cuts: [String]
    /// The stream that a node with more partitions also writes.
    let beyond: String
    private let bytes: [Bytes]

    /// Which process of a group looked last, `StreamConflict`.
    func reader(_ group: String) -> String { "millrace:{0}:reader:\(group)" }

    package init(partitions: Int) {
        // The braces are a hash tag: in a cluster each partition has a slot of its own.
        names = (0..<partitions).map { "millrace:{\($0)}:events" }
        cuts = (0..<partitions).map { "millrace:{\($0)}:cut" }
        beyond = "millrace:{\(partitions)}:events"
        bytes = names.map { Bytes($0) }
    }

    package var count: Int { names.count }
    subscript(partition: Int) -> UnsafeRawBufferPointer { bytes[partition].span }

    /// The partition of a key that Redis names; nil if it is none of ours.
    func partition(of key: UnsafeRawBufferPointer) -> Int? {
        bytes.firstIndex { $0.count == key.count && $0.span.elementsEqual(key) }
    }
}
