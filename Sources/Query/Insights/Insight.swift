import Primitives

/// The kind of a pattern of questions.
package enum InsightKind: String, Sendable, CaseIterable {
    /// One after the other, each with another value of the same parameter.
    case nPlusOne = "n_plus_one"
    /// As `nPlusOne`, but at the same time.
    case fanOut = "fan_out"
    /// The same question again and again.
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
    /// How many streaks showed this pattern.
    package internal(set) var occurrences = 1
    /// Questions in all.
    package internal(set) var count: Int
    package internal(set) var total: Duration
    /// Ids of the last traces with this pattern; empty without `traceparent`.
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

    /// 16 hexadecimal digits, as in reports and in `--insights-ignore`.
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

/// The advice in the response to the question that completes a pattern.
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
