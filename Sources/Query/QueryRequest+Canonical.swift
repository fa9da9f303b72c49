import Primitives
import SQLite

extension QueryRequest {
    /// Tells queries apart, not attackers: whoever has a cursor may ask the query anyway.
    private static let hashKey = Key128(high: 0x6D69_6C6C_7261_6365, low: 0x2F71_7565_7279_2F31)

    /// Two requests with the same fingerprint have the same rows in the same order; they may differ
    /// in how many of them a page holds and how it is written.
    var fingerprint: UInt64 {
        var text = ByteBuffer(capacity: 512)
        appendSubject(to: &text)
        return Key128(hashing: text.span, key: Self.hashKey).low
    }

    /// 32 hexadecimal digits that two requests share exactly if their answers are the same bytes
    /// over the same events.
    package var cacheKey: String {
        var text = ByteBuffer(capacity: 512)
        appendSubject(to: &text)
        text.append("limit=")
        text.append(decimal: limit)
        text.append("\noffset=")
        text.append(decimal: offset)
        text.append("\nformat=")
        text.append(format.rawValue)
        text.append(format == .json ? shape.rawValue : "")
        let key = Key128(hashing: text.span, key: Self.hashKey)
        var digits = ByteBuffer(capacity: 32)
        digits.append(hex: key.high, digits: 16)
        digits.append(hex: key.low, digits: 16)
        return digits.text
    }

    /// A line a parameter; text is a JSON string, so no value can pretend to be a line.
    private func appendSubject(to text: inout ByteBuffer) {
        text.append("v1")
        text.append(line: "metric", metrics.map(\.name))
        text.append(line: "event", types.map { ExactText($0) }.sorted().map(\.text))
        text.append(line: "range", ["\(from)", "\(to)"])
        text.append(line: "interval", [interval?.rawValue ?? "", zone.name])
        text.append(line: "group_by", groups.map(\.name))
        // Conditions hold together in any order, but one order makes more requests the same.
        for condition in conditions.map(\.canonical).sorted(by: { $0.lexicographicallyPrecedes($1) }
        ) {
            text.append(line: "where", condition.map(\.text))
        }
        text.append(line: "order", order.map { "\($0.isDescending ? "-" : "")\($0.column)" })
        text.append(line: "fill", [fill?.rawValue ?? ""])
        text.append("\n")
    }
}

extension QueryCondition {
    fileprivate var canonical: [ExactText] {
        [ExactText(field.name), ExactText(operation.rawValue), matchesNull ? "null" : ""]
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
