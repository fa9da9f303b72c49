import Primitives

/// Levels by name and by OpenTelemetry's severity number (its logs data model, "Mapping of
/// SeverityNumber", and the appendix for syslog's names).
package enum LogSeverity {
    /// The ranges by which counts are grouped.
    package static let bands = ["unspecified", "trace", "debug", "info", "warn", "error", "fatal"]

    /// Each with the number that it stands for; the first of a number is what answers call it.
    private static let names: [(name: StaticString, number: UInt8)] = [
        ("trace", 1), ("debug", 5), ("info", 9), ("notice", 10), ("warn", 13), ("error", 17),
        ("critical", 18), ("alert", 19), ("fatal", 21), ("warning", 13), ("verbose", 1),
        ("informational", 9), ("information", 9), ("err", 17), ("crit", 18), ("emerg", 21),
        ("emergency", 21), ("panic", 21), ("severe", 17),
    ]

    /// The number of a level's name in any case; nil for a name that is none.
    package static func number(_ name: UnsafeRawBufferPointer) -> UInt8? {
        guard (3...13).contains(name.count) else { return nil }
        return names.first { matches(name, $0.name) }?.number
    }

    /// What answers call a severity number: `info` for 9 and 11, `notice` for 10.
    package static func name(_ number: UInt8) -> StaticString {
        switch number {
        case 10: "notice"
        case 18: "critical"
        case 19: "alert"
        case 1...4: "trace"
        case 5...8: "debug"
        case 9...12: "info"
        case 13...16: "warn"
        case 17...20: "error"
        case 21...24: "fatal"
        default: "unspecified"
        }
    }

    /// The index in `bands`; 0 for none.
    package static func band(_ number: UInt8) -> Int {
        (1...24).contains(number) ? (Int(number) + 3) / 4 : 0
    }

    private static func matches(_ text: UnsafeRawBufferPointer, _ name: StaticString) -> Bool {
        guard text.count == name.utf8CodeUnitCount else { return false }
        for index in 0..<text.count where text[index] | 0x20 != name.utf8Start[index] {
            return false
        }
        return true
    }
}
