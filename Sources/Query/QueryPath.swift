import Primitives

/// Where in a JSON document a value lies: names joined by dots.
///
/// A segment that is a decimal number means an element where the document holds an array, and a
/// member of that name where it holds an object; only the document knows. A segment in quotation
/// marks (`data."a.b"`) is always a name, and may hold dots, commas and colons.
package struct QueryPath: Hashable, Sendable {
    struct Segment: Hashable, Sendable {
        let name: ExactText
        /// The element it means in an array; nil for what is only a name.
        let index: Int?
    }

    let segments: [Segment]

    static let segmentLimit = 8
    static let segmentLimitBytes = 64

    /// nil for a name that breaks the rules. Quotation marks and backslashes are refused inside of a
    /// segment because SQLite's JSON path has no escape for them.
    init?(_ name: some StringProtocol) {
        var segments: [Segment] = []
        var rest = Array(name.utf8)[...]
        while segments.count < QueryPath.segmentLimit {
            guard let segment = QueryPath.takeSegment(&rest) else { return nil }
            segments.append(segment)
            if rest.isEmpty {
                self.segments = segments
                return
            }
            guard rest.popFirst() == UInt8(ascii: ".") else { return nil }
        }
        return nil
    }

    private static func takeSegment(_ rest: inout ArraySlice<UInt8>) -> Segment? {
        let isQuoted = rest.first == UInt8(ascii: "\"")
        if isQuoted { rest = rest.dropFirst() }
        let end = UInt8(ascii: isQuoted ? "\"" : ".")
        let bytes = rest.prefix { $0 != end }
        rest = rest.dropFirst(bytes.count)
        if isQuoted {
            guard rest.popFirst() != nil else { return nil }
        }
        let name = String(decoding: bytes, as: UTF8.self)
        guard (1...segmentLimitBytes).contains(bytes.count),
            name.unicodeScalars.allSatisfy(isAllowed)
        else { return nil }
        let index = !isQuoted && isIndex(bytes) ? Int(name) : nil
        return Segment(name: ExactText(name), index: index)
    }

    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory != .control && scalar != "\"" && scalar != "\\"
    }

    /// Without leading zeros; nine digits cannot overflow SQLite's 32-bit index.
    private static func isIndex(_ segment: ArraySlice<UInt8>) -> Bool {
        segment.count <= 9 && segment.allSatisfy { (0x30...0x39).contains($0) }
            && (segment.count == 1 || segment.first != 0x30)
    }
}

/// The path in SQLite's form. Behind each number the path has two ways on.
extension QueryPath {
    struct Step: Hashable, Sendable {
        /// From an array on: `[0]."sku"`.
        var element: String
        /// From an object on: `."0"."sku"`.
        var member: String
    }

    /// `$."cart"."items"`: up to the first number; then each number with what follows it.
    var sqlite: (start: String, steps: [Step]) {
        var start = "$"
        var steps: [Step] = []
        for segment in segments {
            let member = ".\"\(segment.name.text)\""
            if let index = segment.index {
                steps.append(Step(element: "[\(index)]", member: member))
            } else if let last = steps.indices.last {
                steps[last].element += member
                steps[last].member += member
            } else {
                start += member
            }
        }
        return (start, steps)
    }
}
