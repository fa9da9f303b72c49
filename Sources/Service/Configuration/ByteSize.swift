/// Sizes as people write them: `4096`, `256KiB`, `1GiB`. A plain number is bytes.
enum ByteSize {
    private static let units: [(name: String, bytes: Int)] = [
        ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10),
    ]

    /// Bytes; nil for anything that is no size, and for what does not fit an `Int`. Units of
    /// powers of ten are refused, because `1GB` for `1GiB` is a silent 7 % less.
    static func parse(_ text: String) -> Int? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int(digits) else { return nil }
        let unit = text.dropFirst(digits.count)
        if unit.isEmpty { return number }
        guard let match = units.first(where: { $0.name.lowercased() == unit.lowercased() }) else {
            return nil
        }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: match.bytes)
        return overflow ? nil : bytes
    }

    /// The shortest text that `parse` reads back as the same number.
    static func format(_ bytes: Int) -> String {
        for unit in units where bytes != 0 && bytes % unit.bytes == 0 {
            return "\(bytes / unit.bytes)\(unit.name)"
        }
        return "\(bytes)"
    }
}
