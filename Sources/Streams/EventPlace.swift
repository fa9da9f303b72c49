/// A place on the way of events to Redis: everything before the record `sequence`, or before that row
/// of the store, and the first `count` events of it.
struct EventPlace: Comparable, Sendable {
    var sequence: UInt64
    var count: Int

    static let start = EventPlace(sequence: 0, count: 0)

    static func < (one: EventPlace, other: EventPlace) -> Bool {
        one.sequence == other.sequence
            ? one.count < other.count : one.sequence < other.sequence
    }
}
