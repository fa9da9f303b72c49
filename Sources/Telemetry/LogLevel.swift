/// How much a record matters; names and order as in swift-log.
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

    package static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }
}
