import Primitives
import SQLite

extension QueryRequest {
    /// Tells queries apart, not attackers: whoever has a cursor may ask the query anyway.
    private static let hashKey = Key128(high: 0x6D69_6C6C_7261_6365, low: 0x2F71_7565_7279_2F31)

    /// Two requests with the same fingerprint ask the same thing of the same moment; they may differ
    /// in how many rows a page holds and how it is written.
    var fingerprint: UInt64 {
        var text = ByteBuffer(capacity: 512)
        appendSubject(to: &text, now: nil)
        return Key128(hashing: text.span, key: Self.hashKey).low
    }

    /// The identity of the question: 32 hexadecimal digits that two requests share exactly if their
    /// answers are the same bytes over the same events. `from=-24h` is the same question for as long
    /// as its moment stays in its step, see `QueryMoment.step`. Cheap enough for an event loop.
    /// - Parameter now: milliseconds since 1970.
    package func canonicalKey(now: Int64) -> String {
        var text = ByteBuffer(capacity: 512)
        appendCanonical(to: &text, now: now)
        let key = Key128(hashing: text.span, key: Self.hashKey)
        var digits = ByteBuffer(capacity: 32)
        digits.append(hex: key.high, digits: 16)
        digits.append(hex: key.low, digits: 16)
        return digits.text
    }

    /// The form of answers' bytes; changed with it, so that nodes of two versions share none.
    private static let answerForm = 1

    /// What a cache knows the answer by. The question in full, not its hash: whoever found two
    /// questions with one hash could read the answer to another's.
    func cacheKey(now: Int64) -> Bytes {
        var key = ByteBuffer(capacity: 544)
        key.append("query ")
        key.append(decimal: Self.answerForm)
        key.append("\n")
        appendCanonical(to: &key, now: now)
        return key.freeze()
    }

    /// What the rows of one bucket depend on beside its events: all of the question but its range,
    /// order, cut, fill and form.
    func bucketSubject(now: Int64) -> Bytes {
        var text = ByteBuffer(capacity: 512)
        text.append("bucket 1")
        text.append(line: "metric", metrics.map(\.name))
        text.append(line: "event", types.map { ExactText($0) }.sorted().map(\.text))
        text.append(line: "interval", [interval?.rawValue ?? "", zone])
        text.append(line: "group_by", groups.map(\.name))
        append(conditionsTo: &text, now: now)
        text.append("\n")
        return text.freeze()
    }

    private func appendCanonical(to text: inout ByteBuffer, now: Int64) {
        appendSubject(to: &text, now: cursor?.now ?? now)
        text.append("limit=")
        text.append(decimal: limit)
        text.append("\noffset=")
        text.append(decimal: cursor?.offset ?? 0)
        text.append("\nseq=")
        text.append(decimal: cursor?.lastSeq ?? -1)
        // Such a page counts otherwise than one of exact values.
        if cursor?.isSketched == true { text.append("\nsketched") }
        text.append("\nformat=")
        text.append(format.rawValue)
        text.append(format == .json ? shape.rawValue : "")
    }

    /// A line a parameter; text is a JSON string, so no value can pretend to be a line.
    /// - Parameter now: what relative moments count from; nil leaves them relative.
    private func appendSubject(to text: inout ByteBuffer, now: Int64?) {
        text.append("v2")
        text.append(line: "metric", metrics.map(\.name))
        text.append(line: "event", types.map { ExactText($0) }.sorted().map(\.text))
        // Without `from` the range begins a day before its end.
        let start = from ?? (to == nil ? QueryPlan.defaultStart : nil)
        text.append(
            line: "range",
            [start?.canonical(now: now) ?? "day", to?.canonical(now: now) ?? "open"])
        text.append(line: "interval", [interval?.rawValue ?? "", zone])
        text.append(line: "group_by", groups.map(\.name))
        append(conditionsTo: &text, now: now)
        text.append(line: "order", order.map { "\($0.isDescending ? "-" : "")\($0.column)" })
        text.append(line: "fill", [fill?.rawValue ?? ""])
        if !usesRollups { text.append(line: "rollup", ["off"]) }
        // Empty buckets are filled in up to the present one.
        if let now, fill != nil, to == nil {
            text.append(line: "filled", ["\(floor(now, to: QueryPlan.fillStepMilliseconds))"])
        }
        text.append("\n")
    }

    /// Conditions hold together in any order, but one order makes more requests the same.
    private func append(conditionsTo text: inout ByteBuffer, now: Int64?) {
        for condition in conditions.map({ $0.canonical(now: now) })
            .sorted(by: { $0.lexicographicallyPrecedes($1) })
        {
            text.append(line: "where", condition.map(\.text))
        }
    }
}

extension QueryCondition {
    fileprivate func canonical(now: Int64?) -> [ExactText] {
        [ExactText(field.name), ExactText(operation.rawValue), matchesNull ? "null" : ""]
            + moments.map { ExactText($0.canonical(now: now)) }
            + operands.map { operand in
                switch operand {
                case .null: "n"
                case .integer(let value): ExactText("i\(value)")
                case .real(let value): ExactText("r\(value)")
                case .text(let value): ExactText("t" + value)
                case .blob(let value): ExactText("b\(value)")
                }
            }
    }
}

extension ByteBuffer {
    fileprivate mutating func append(line name: StaticString, _ values: [String]) {
        append("\n")
        append(name)
        for value in values {
            append(" ")
            append(jsonString: value)
        }
    }
}
