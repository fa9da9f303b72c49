import Primitives

/// Which records are asked for. Empty parts ask for all.
package struct LogFilter: Sendable, Equatable {
    /// The least severity number; 0 takes records without one as well.
    package var severity: UInt8 = 0
    /// Any of these.
    package var services: [String] = []
    package var traceID: Key128?
    package var terms: LogTerms?
    /// `[from, to)`, milliseconds since 1970.
    package var from: Int64?
    package var to: Int64?

    package init() {}

    /// Nothing but a range of time.
    package var isOpen: Bool {
        severity == 0 && services.isEmpty && traceID == nil && terms == nil
    }

    /// Records of the day may be among those that are asked for.
    func touches(_ day: LogDay) -> Bool {
        (to.map { day.start < $0 } ?? true) && (from.map { $0 < day.end } ?? true)
    }

    /// Counts by minute, service and severity answer it.
    var isCountable: Bool {
        traceID == nil && terms == nil && (from ?? 0) % 60_000 == 0 && (to ?? 0) % 60_000 == 0
    }

    /// What FTS5 is asked; nil where it has nothing to say.
    var match: String? {
        var parts: [String] = []
        if let words = terms?.match, !words.isEmpty {
            parts.append("{text} : (\(words.joined(separator: " AND ")))")
        }
        if let traceID {
            var hex = ByteBuffer(capacity: 32)
            hex.append(hex: traceID)
            parts.append("{trace} : \"\(hex.text)\"")
        }
        return parts.isEmpty ? nil : parts.joined(separator: " AND ")
    }
}
