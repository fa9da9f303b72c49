/// A span of a text that a rule matches. Offsets count bytes from the start of the scanned text.
package struct Finding: Sendable {
    package var start: Int
    /// One after the last byte.
    package var end: Int
    /// The raw value of a `PIIClass`, or that count plus the index of a rule of the policy.
    package var rule: Int
    /// Which check accepted it; shown by `millrace mask --explain`. Never holds matched text.
    package var reason: StaticString

    init(_ kind: PIIClass, _ start: Int, _ end: Int, _ reason: StaticString) {
        self.init(rule: Int(kind.rawValue), start, end, reason)
    }

    init(rule: Int, _ start: Int, _ end: Int, _ reason: StaticString) {
        self.start = start
        self.end = end
        self.rule = rule
        self.reason = reason
    }

    /// Nil for a rule of the policy.
    package var kind: PIIClass? {
        rule < PIIClass.allCases.count ? PIIClass(rawValue: UInt8(rule)) : nil
    }
}
