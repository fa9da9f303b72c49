import Primitives

/// An order to erase events, and how far it is on this node.
package struct Erasure: Sendable, Equatable {
    /// What is being done, in this order.
    package enum Stage: Int64, Sendable, Comparable {
        /// Rows are deleted, and leave rollups and generations with that.
        case rows
        case quarantine
        case deadLetters
        /// Names of types and sources that no event has any more.
        case names
        /// Journal, caches, streams: what lies outside of the store.
        case copies
        case finished

        package static func < (a: Stage, b: Stage) -> Bool { a.rawValue < b.rawValue }
    }

    /// A UUIDv7, the same on all nodes.
    package let id: String
    /// Milliseconds since 1970, by the clock of the node that was asked.
    package let requested: Int64
    /// The node that was asked.
    package let node: String
    /// Which parameters were given, with commas between: never their values.
    package let conditions: String
    /// Nil once nothing can come back any more.
    package internal(set) var matcher: ErasureMatcher?
    /// Records of this node's journal up to it were acknowledged before the erasure began here.
    package internal(set) var barrier: UInt64 = 0
    /// Rows up to it were stored before the erasure began here; later ones are looked at as they
    /// come.
    package internal(set) var through: Int64 = 0
    /// How far the stage is, in rows of the table that it goes through.
    var examined: Int64 = 0
    package internal(set) var stage = Stage.rows
    /// Rows that were deleted here.
    package internal(set) var events: Int64 = 0
    package internal(set) var quarantined: Int64 = 0
    package internal(set) var deadLetters: Int64 = 0
    /// Milliseconds since 1970; nil while it is not.
    package internal(set) var finished: Int64?

    package init(
        id: String, requested: Int64, node: String, conditions: String, matcher: ErasureMatcher?
    ) {
        self.id = id
        self.requested = requested
        self.node = node
        self.conditions = conditions
        self.matcher = matcher
    }
}

/// Some erasures together: what becomes of an event that comes again.
package struct ErasureFilter: Sendable {
    let matchers: [ErasureMatcher]

    package init(_ matchers: [ErasureMatcher]) { self.matchers = matchers }

    package init(_ matcher: ErasureMatcher) { self.init([matcher]) }

    package func matches(_ event: EventRow) -> Bool {
        matchers.contains { $0.matches(event) }
    }
}
