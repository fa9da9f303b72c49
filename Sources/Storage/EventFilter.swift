/// Which events are asked for. An empty list asks for all.
package struct EventFilter: Sendable, Equatable {
    /// Any of these.
    package var types: [String] = []
    /// Any of these.
    package var sources: [String] = []
    /// Any of these.
    package var subjects: [String] = []
    /// Milliseconds since 1970; events at it or later.
    package var from: Int64?
    /// Milliseconds since 1970; events before it.
    package var to: Int64?

    package init(
        types: [String] = [], sources: [String] = [], subjects: [String] = [], from: Int64? = nil,
        to: Int64? = nil
    ) {
        self.types = types
        self.sources = sources
        self.subjects = subjects
        self.from = from
        self.to = to
    }
}

/// Some events, newest first, and where to go on.
package struct EventPage: Sendable, Equatable {
    package var events: [StoredEvent] = []
    /// Nil when there is nothing more. A page may be short and still have a next one: only so
    /// many rows are looked at for one page.
    package var next: EventCursor?
}

/// Some events in the order in which they were stored.
package struct EventTail: Sendable, Equatable {
    package var events: [StoredEvent] = []
    /// Everything up to here has been looked at: go on after it.
    package var lastSeq: Int64
    /// There were more rows than could be looked at.
    package var hasMore: Bool
}
