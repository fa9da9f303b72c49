import Primitives

/// What is to be sent where: one entry of `sinks:`.
package struct SinkOptions: Sendable, Equatable {
    package var name: String
    /// http or https.
    package var url: String
    package var filter: SinkFilter
    /// Events in one request, at most.
    package var batchSize = 100
    /// For one attempt, connection and reply included.
    package var timeout = Duration.seconds(10)
    /// Sent with each request, and never shown.
    package var headers: [String: String] = [:]

    /// Payload of one request; a larger event goes alone.
    static let requestLimitBytes = 1 << 20
    /// Refusals by which an event, or a batch as a whole, is known to be refused for good.
    static let refusalLimit = 5
    /// A receiver may ask for more; it is asked again after this.
    static let longestRetryAfter = Duration.seconds(3600)

    /// The sink's consumer group, the same on every node.
    package var streamGroup: String { "millrace-sink:\(name)" }

    package init(name: String, url: String, filter: SinkFilter = SinkFilter()) {
        self.name = name
        self.url = url
        self.filter = filter
    }
}

/// Which events a sink wants, by type.
package struct SinkFilter: Sendable, Equatable {
    /// Types, and with `*` at the end beginnings of types; all, if empty.
    package let patterns: [String]
    private let exact: Set<ExactText>
    private let prefixes: [String]

    /// - Parameter patterns: `order.paid`, `order.*`; a `*` elsewhere stands for itself.
    package init(_ patterns: [String] = []) {
        self.patterns = patterns
        exact = Set(patterns.filter { !$0.hasSuffix("*") }.map { ExactText($0) })
        prefixes = patterns.filter { $0.hasSuffix("*") }.map { String($0.dropLast()) }
    }

    package func wants(_ type: String) -> Bool {
        patterns.isEmpty || exact.contains(ExactText(type))
            || prefixes.contains { type.utf8.starts(with: $0.utf8) }
    }
}
