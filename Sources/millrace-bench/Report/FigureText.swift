/// Figures as people read them.
enum FigureText {
    /// The value with its unit, without the figure's name.
    static func format(_ value: Double, _ unit: Figure.Unit) -> String {
        switch unit {
        case .perSecond: grouped(value)
        case .number: grouped(value, fraction: 0)
        case .bytesPerSecond:
            scaled(value, [(1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"), (1, "B/s")])
        case .nanoseconds: scaled(value, [(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1, "ns")])
        case .bytes:
            scaled(value, [(1_073_741_824, "GiB"), (1_048_576, "MiB"), (1024, "KiB"), (1, "B")])
        case .count, .ratio: fixed(value, 2)
        }
    }

    /// The value and what it counts or is: `8,123 events/s`, `p99 118 ns`.
    static func named(_ name: String, _ value: Double, _ unit: Figure.Unit) -> String {
        let text = format(value, unit)
        switch unit {
        case .perSecond, .number, .count, .ratio: return "\(text) \(name)"
        case .bytesPerSecond, .nanoseconds, .bytes: return "\(name) \(text)"
        }
    }

    /// At least two significant digits in the largest unit that the value reaches.
    private static func scaled(_ value: Double, _ units: [(size: Double, name: String)]) -> String {
        let unit = units.first { value >= $0.size } ?? units[units.count - 1]
        let scaled = value / unit.size
        return "\(fixed(scaled, scaled < 10 ? 2 : scaled < 100 ? 1 : 0)) \(unit.name)"
    }

    /// Rounded, with a comma before every three digits; below 100 with `fraction` decimals.
    private static func grouped(_ value: Double, fraction: Int = 1) -> String {
        guard value.magnitude >= 100 else { return fixed(value, fraction) }
        var text = ""
        for (index, digit) in fixed(value, 0).reversed().enumerated() {
            if index > 0, index % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return String(text.reversed())
    }

    private static func fixed(_ value: Double, _ digits: Int) -> String {
        // Beyond this a figure is a mistake, and Int would trap.
        guard value.isFinite, value.magnitude < 1e15 else { return "\(value)" }
        let scale = [1.0, 10, 100][digits]
        let rounded = Int((value.magnitude * scale).rounded())
        let sign = value < 0 && rounded > 0 ? "-" : ""
        guard digits > 0 else { return "\(sign)\(rounded)" }
        let fraction = String(rounded % Int(scale))
        let zeros = String(repeating: "0", count: digits - fraction.count)
        return "\(sign)\(rounded / Int(scale)).\(zeros)\(fraction)"
    }
}
