import Primitives

/// The one question that replaces a streak: the values become a list, and their field a group.
struct InsightReplacement {
    /// The question as a URL.
    let url: String
    /// What is new in it, without values.
    let hint: String

    private static let groupLimit = QueryRequest.groupLimit

    /// Nil where the streak cannot be written as one question: SQL, named queries, other conditions than
    /// equality.
    init?(_ streak: QuestionStreak) {
        guard streak.first.path == "/query", let slot = streak.varyingSlot else { return nil }
        let varying = streak.first.parameters[slot.parameter]
        let field: String
        var list: Parameter?
        if varying.name == "event" {
            guard varying.elements.count == 1 else { return nil }
            field = "type"
            if streak.hasAllValues { list = Parameter(name: "event", elements: streak.values) }
            hint = "event=A,B,C&group_by=type"
        } else {
            let (head, _) = QuestionShape.condition(varying)
            guard head.hasSuffix(":eq") else { return nil }
            field = String(head.dropLast(":eq".count))
            guard field != "time" else { return nil }
            if streak.hasAllValues, let first = streak.values.first {
                list = Parameter(
                    name: "where", elements: ["\(field):in:\(first)"] + streak.values.dropFirst())
            }
            hint = "where=\(field):in:A,B,C&group_by=\(field)"
        }
        guard
            var parameters = InsightReplacement.grouped(
                streak.first.parameters, without: slot.parameter, by: field)
        else { return nil }
        if let list { parameters.append(list) }
        url = QuestionText.url("/query", parameters)
    }

    /// - Returns: nil if there are as many groups as there may be.
    private static func grouped(
        _ parameters: [Parameter], without index: Int, by field: String
    ) -> [Parameter]? {
        var result: [Parameter] = []
        var groups: [String] = []
        for (place, parameter) in parameters.enumerated() where place != index {
            if parameter.name == "group_by" {
                groups += parameter.elements
            } else {
                result.append(parameter)
            }
        }
        if !groups.contains(where: { ExactText($0) == ExactText(field) }) { groups.append(field) }
        guard groups.count <= groupLimit else { return nil }
        result.append(Parameter(name: "group_by", elements: groups))
        return result
    }
}
