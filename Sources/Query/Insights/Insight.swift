import Primitives

/// What is wrong with a streak of questions.
package enum InsightKind: String, Sendable, CaseIterable {
    /// One after the other, each about somebody else.
    case nPlusOne = "n_plus_one"
    /// The same at the same time.
    case fanOut = "fan_out"
    /// One after the other, all the same.
    case duplicates
}

/// A pattern in the questions of one caller that one question could replace.
package struct Insight: Sendable {
    package let kind: InsightKind
    package let fingerprint: UInt64
    /// The name of the caller's key.
    package let caller: String
    package let path: String
    /// Which parameter varies; nil for duplicates.
    package let parameter: String?
    /// Times that it was seen to begin.
    package internal(set) var occurrences = 1
    /// Questions in all.
    package internal(set) var count: Int
    package internal(set) var total: Duration
    /// The last of them; empty without `traceparent`.
    package internal(set) var traces: [Key128] = []
    /// Values of the parameter.
    package internal(set) var samples: [String] = []
    /// The question that came before the last streak.
    package internal(set) var precededBy: String?
    /// The one question that would replace the last streak; nil where none can be written down.
    package internal(set) var replacement: String?
    /// Milliseconds since 1970.
    package let firstSeen: Int64
    package internal(set) var lastSeen: Int64

    static let traceLimit = 5
    static let sampleLimit = 5

    /// As it is written in reports and in `--insights-ignore`: 16 hexadecimal digits.
    package var fingerprintText: String {
        var digits = ByteBuffer(capacity: 16)
        digits.append(hex: fingerprint, digits: 16)
        return digits.text
    }

    /// What to do, in a sentence.
    package var advice: String {
        switch kind {
        case .duplicates:
            "The same question was asked again and again and not answered from memory; ask once and "
                + "keep the answer."
        case .fanOut, .nPlusOne:
            replacement == nil
                ? "Ask once for all values of the parameter, by a group or a list, not once for each."
                : "Ask the replacement once instead."
        }
    }
}

/// What the response that completes a pattern is told.
package struct InsightAdvice: Sendable {
    package let kind: InsightKind
    package let parameter: String?
    package let fingerprint: String
    /// What to ask instead, without values.
    package let hint: String?

    /// The value of a header field: printable ASCII alone.
    package var header: String {
        var text = "\(kind.rawValue); fingerprint=\(fingerprint)"
        if let parameter { text += "; parameter=\"\(Self.plain(parameter))\"" }
        if let hint { text += "; ask=\"\(Self.plain(hint))\"" }
        return text + "; see=\"/query/insights\""
    }

    private static func plain(_ text: String) -> String {
        String(
            text.unicodeScalars.prefix(200).map { scalar in
                let isPlain =
                    (0x20...0x7E).contains(scalar.value) && scalar != "\"" && scalar != "\\"
                return isPlain ? Character(scalar) : "?"
            })
    }
}
