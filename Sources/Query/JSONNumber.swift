import SQLite

/// Numbers as JSON writes them (RFC 8259, section 6).
enum JSONNumber {
    /// An integer if `text` is one that fits 64 bits, else a finite real; nil if it is no number.
    static func parse(_ text: String) -> SQLValue? {
        guard isNumber(text) else { return nil }
        if let integer = Int64(text) { return .integer(integer) }
        guard let real = Double(text), real.isFinite else { return nil }
        return .real(real)
    }

    /// The grammar decides and not `Double.init`, which also reads `nan`, `inf` and hexadecimal.
    private static func isNumber(_ text: String) -> Bool {
        var rest = text.utf8[...]
        if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
        let whole = digits(&rest)
        guard whole > 0 else { return false }
        let start = text.utf8.first == UInt8(ascii: "-") ? text.utf8.dropFirst() : text.utf8[...]
        if whole > 1, start.first == UInt8(ascii: "0") { return false }
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            guard digits(&rest) > 0 else { return false }
        }
        if let mark = rest.first, mark | 0x20 == UInt8(ascii: "e") {
            rest = rest.dropFirst()
            if let sign = rest.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
                rest = rest.dropFirst()
            }
            guard digits(&rest) > 0 else { return false }
        }
        return rest.isEmpty
    }

    private static func digits(_ text: inout Substring.UTF8View) -> Int {
        let run = text.prefix { (0x30...0x39).contains($0) }
        text = text.dropFirst(run.count)
        return run.count
    }
}
