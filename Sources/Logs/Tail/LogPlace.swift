import Primitives

/// How far a tail is: the number of the last record that it was sent, and that record's time, near
/// which those that came after it are looked for.
package struct LogPlace: Sendable, Equatable {
    package let arrival: Int64
    /// Milliseconds since 1970.
    package let time: Int64

    package init(arrival: Int64, time: Int64) {
        self.arrival = arrival
        self.time = time
    }

    /// Reads what `text` gave out; nil for anything else.
    package init?(text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2,
            parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
            let arrival = Int64(parts[0]), let time = Int64(parts[1])
        else { return nil }
        self.init(arrival: arrival, time: time)
    }

    package var text: String { "\(arrival)-\(time)" }
}

/// A record on its way to a tail.
package struct LogMessage: Sendable {
    package let place: LogPlace
    /// One line.
    package let json: Bytes
}
