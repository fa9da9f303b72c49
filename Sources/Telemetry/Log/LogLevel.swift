/// How much a record matters; names and order as in swift-log.
@frozen @usableFromInline
package enum LogLevel: Int, Comparable, CaseIterable, Sendable {
    case trace, debug, info, notice, warning, error, critical

    /// Reads a name as the command line takes it; `warn` is understood.
    package init?(name: String) {
        let name = name.lowercased()
        guard
            let level = name == "warn"
                ? .warning : LogLevel.allCases.first(where: { $0.name == name })
        else { return nil }
        self = level
    }

    package var name: String { "\(self)" }

    /// The raw value, in the one byte that a frozen enumeration of seven cases is: a comparison in
    /// every call of the logger, and the raw value would be a call.
    @inlinable @inline(__always)
    var order: UInt8 { unsafeBitCast(self, to: UInt8.self) }

    /// - Parameter order: of a level.
    init(order: UInt8) { self = LogLevel(rawValue: Int(order)) ?? .critical }

    /// The next level that says more, or less; the last one stays.
    package var moreVerbose: LogLevel { LogLevel(rawValue: rawValue - 1) ?? self }
    package var lessVerbose: LogLevel { LogLevel(rawValue: rawValue + 1) ?? self }

    @inlinable @inline(__always)
    package static func < (a: LogLevel, b: LogLevel) -> Bool { a.order < b.order }
}
