import Primitives

/// Where in an event's `data` a value lies.
///
/// A segment that is a decimal number means an element where the document holds an array, and a
/// member of that name where it holds an object. Only the document knows, so behind each such
/// segment the path has two ways on, each in SQLite's form of a JSON path.
package struct QueryPath: Hashable, Sendable {
    struct Step: Hashable, Sendable {
        /// From an array on: `[0]."sku"`.
        var element: ExactText
        /// From an object on: `."0"."sku"`.
        var member: ExactText
    }

    /// `$."cart"."items"`: up to the first number.
    let start: ExactText
    /// Each number with what follows it up to the next.
    let steps: [Step]

    static let segmentLimit = 8
    static let segmentLimitBytes = 64

    /// nil for a name that breaks the rules. Quotation marks and backslashes are refused because
    /// SQLite's JSON path has no escape for them; the path itself is bound, never pasted.
    init?(_ name: String) {
        let segments = name.parts(by: ".", most: QueryPath.segmentLimit + 1)
        guard segments.count <= QueryPath.segmentLimit else { return nil }
        var start = "$"
        var steps: [(element: String, member: String)] = []
        for segment in segments {
            guard (1...QueryPath.segmentLimitBytes).contains(segment.utf8.count),
                segment.unicodeScalars.allSatisfy(QueryPath.isAllowed)
            else { return nil }
            let member = ".\"\(segment)\""
            if QueryPath.isIndex(segment) {
                steps.append(("[\(segment)]", member))
            } else if let last = steps.indices.last {
                steps[last].element += member
                steps[last].member += member
            } else {
                start += member
            }
        }
        self.start = ExactText(start)
        self.steps = steps.map {
            Step(element: ExactText($0.element), member: ExactText($0.member))
        }
    }

    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory != .control && scalar != "\"" && scalar != "\\"
    }

    /// Without leading zeros; nine digits cannot overflow SQLite's 32-bit index.
    private static func isIndex(_ segment: Substring) -> Bool {
        segment.utf8.count <= 9 && segment.utf8.allSatisfy { (0x30...0x39).contains($0) }
            && (segment.utf8.count == 1 || segment.utf8.first != 0x30)
    }
}
