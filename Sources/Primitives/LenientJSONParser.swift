/// Parses objects as JavaScript writes them: an escape of half a surrogate pair is read as U+FFFD.
///
/// Costs a second look only if the first one finds no JSON. What it returns borrows from the text and
/// from the parser, and is valid until the next call. One thread at a time owns it.
package struct LenientJSONParser: ~Copyable {
    private let parser: JSONParser
    /// A text whose lone surrogates are replaced, and where in it they were.
    private var repaired = ByteBuffer(capacity: 16)
    private var replaced: [Int] = []
    /// Few texts need it, so it does not keep the memory of large ones.
    private static let keptBytes = 16 << 10

    package init(maxDepth: Int) { parser = JSONParser(maxDepth: maxDepth) }

    /// The members of the object `text`, which has the parser's padding behind it.
    package mutating func members(
        of text: UnsafeRawBufferPointer
    ) throws(JSONError) -> JSONMembers {
        if !replaced.isEmpty {
            replaced.removeAll()
            repaired.removeAll()
            repaired.shrink(above: LenientJSONParser.keptBytes)
        }
        do throws(JSONError) { return try parser.members(of: text) } catch {
            guard error == .invalid else { throw error }
            replaced = LoneSurrogates.appendReplaced(text, to: &repaired)
            guard !replaced.isEmpty else { throw error }
            return try parser.members(of: repaired.span)
        }
    }

    /// Gives its memory back if a text of more than `limit` bytes was parsed. What it returned before
    /// is void.
    package mutating func shrink(above limit: Int) {
        parser.shrink(above: limit)
        replaced.removeAll()
        repaired.removeAll()
        repaired.shrink(above: LenientJSONParser.keptBytes)
    }

    /// The members of `text` as it is, lone surrogates refused.
    package func strictMembers(
        of text: UnsafeRawBufferPointer
    ) throws(JSONError) -> JSONMembers { try parser.members(of: text) }

    /// Whether something in `raw`, a part of the text at hand, was a lone surrogate.
    package func isReplaced(_ raw: UnsafeRawBufferPointer) -> Bool {
        guard !replaced.isEmpty, let base = repaired.span.baseAddress, let start = raw.baseAddress
        else { return false }
        let range = (start - base)..<(start - base + raw.count)
        // The first offset at or after the start, found by halves.
        var (low, high) = (0, replaced.count)
        while low < high {
            let middle = (low + high) / 2
            if replaced[middle] < range.lowerBound { low = middle + 1 } else { high = middle }
        }
        return low < replaced.count && range.contains(replaced[low])
    }
}
