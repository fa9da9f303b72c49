/// The traces that a batch belongs to, at most `limit` of them: what a span or a log record about
/// the batch links to. Bounded and without memory of its own, because every batch carries one.
package struct TraceLinks: Sendable {
    /// A batch gathers the requests of a moment; a few of them lead to the others.
    package static let limit = 8

    private static let none = TraceContext(
        traceID: .init(high: 0, low: 0), spanID: 0, parentID: 0, isSampled: false)

    package private(set) var count = 0
    /// Traces that found no room.
    package private(set) var omitted = 0
    private var contexts = InlineArray<8, TraceContext>(repeating: none)

    package init() {}

    package var isEmpty: Bool { count == 0 }
    package var all: [TraceContext] { (0..<count).map { contexts[$0] } }

    package mutating func add(_ context: TraceContext) {
        guard count < TraceLinks.limit else { return omitted += 1 }
        contexts[count] = context
        count += 1
    }

    package mutating func add(_ others: TraceLinks) {
        for index in 0..<others.count { add(others.contexts[index]) }
        omitted += others.omitted
    }
}
