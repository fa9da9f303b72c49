import Primitives

/// A question without the values that may vary (its fingerprint), and those values beside it.
struct QuestionShape {
    /// One of these values.
    struct Slot {
        /// `event`, `where subject:eq`, or the name of a parameter of SQL.
        let label: String
        let value: String
        /// Among the question's parameters.
        let parameter: Int
    }

    let fingerprint: UInt64
    /// In an order that all questions of the shape share.
    let slots: [Slot]

    private static let key = Key128(high: 0x7368_6170_65, low: 1)
    /// Parameters that change how an answer is computed or written, and not which rows it has.
    private static let ignored: Set<String> = ["cache", "max_stale", "explain", "format", "shape"]
    /// Dashboards move the range with time, so another range is no other question.
    private static let moving: Set<String> = ["from", "to"]
    /// Of a mask of 64 bits.
    private static let slotLimit = 60

    /// Nil for the later pages of a question, and for one with very many values.
    init?(_ question: ObservedQuestion) {
        var lines: [(line: String, slot: Slot?)] = []
        let isFree = question.path == "/query"
        let isSQL = question.path == "/query/sql"
        for (index, parameter) in question.parameters.enumerated() {
            let name = parameter.name
            if QuestionShape.ignored.contains(name) { continue }
            if isFree, name == "cursor" { return nil }
            if isFree, QuestionShape.moving.contains(name) {
                lines.append((name, nil))
            } else if isFree, name == "where" {
                let parts = QuestionShape.condition(parameter)
                lines.append(
                    (
                        "where " + parts.head,
                        Slot(label: "where " + parts.head, value: parts.value, parameter: index)
                    ))
            } else if isFree ? name == "event" : !isSQL || SQLQuestion.valueName(name) != nil {
                lines.append((name, Slot(label: name, value: parameter.value, parameter: index)))
            } else {
                lines.append((name + "=" + parameter.value, nil))
            }
        }
        lines.sort { ExactText($0.line) < ExactText($1.line) }
        var text = ByteBuffer(capacity: 256)
        text.append(question.path)
        for line in lines {
            text.append("\n")
            text.append(line.line)
        }
        fingerprint = Key128(hashing: text.span, key: QuestionShape.key).low
        slots = lines.compactMap(\.slot)
        guard slots.count <= QuestionShape.slotLimit else { return nil }
    }

    /// `field:op` and the value of a condition.
    static func condition(_ parameter: Parameter) -> (head: String, value: String) {
        let text = parameter.value
        guard let (field, rest) = QueryField.splitAtColon(text) else { return (text, "") }
        let parts = rest.parts(by: ":", most: 2)
        return ("\(field):\(parts[0])", parts.count > 1 ? String(parts[1]) : "")
    }
}
