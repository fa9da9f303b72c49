/// What a YAML text must not hold, found before it is parsed: the parser follows aliases without a
/// bound (ten lines of them stand for a billion nodes) and calls itself for each level of nesting.
enum YAMLGuard {
    static let anchorReason =
        "anchors and aliases (`&` and `*`) are not understood here; quote a text that begins so"
    /// Levels of `[` and `{` within each other; no file of ours has more than four.
    private static let depthLimit = 16
    /// Columns before the first letter of a line, which bounds the levels of block style.
    private static let indentLimit = 100

    /// The first thing that is refused, with its line; nil for a text that may be parsed. One pass
    /// over the bytes. In a text of many lines (`|`, `>`) it may refuse what the parser would take.
    static func refusal(of text: String) -> YAMLTree.Failure? {
        var scan = Scan()
        var bytes = text.utf8.makeIterator()
        var next = bytes.next()
        while let byte = next {
            next = bytes.next()
            if let reason = scan.reason(against: byte, before: next) {
                return YAMLTree.Failure(line: scan.line, reason: reason)
            }
        }
        return nil
    }

    private struct Scan {
        var line = 1
        private var depth = 0
        private var indent = 0
        private var isIndent = true
        private var isComment = false
        private var isEscaped = false
        private var quote: UInt8?
        private var previous = UInt8(ascii: "\n")
        /// The last byte that is no space.
        private var last = UInt8(ascii: "\n")

        mutating func reason(against byte: UInt8, before next: UInt8?) -> String? {
            defer {
                previous = byte
                if byte != UInt8(ascii: " "), byte != UInt8(ascii: "\t"), !isComment { last = byte }
            }
            if byte == UInt8(ascii: "\n") {
                line += 1
                isComment = false
                isIndent = true
                indent = 0
                return nil
            }
            if isComment { return nil }
            if let quote {
                pass(byte, in: quote)
                return nil
            }
            if isIndent, " -?".utf8.contains(byte) {
                indent += 1
                return indent > indentLimit
                    ? "it is indented by more than \(indentLimit) columns" : nil
            }
            isIndent = false
            return judge(byte, before: next)
        }

        private mutating func pass(_ byte: UInt8, in quote: UInt8) {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
                isEscaped = true
            } else if byte == quote {
                self.quote = nil
            }
        }

        private mutating func judge(_ byte: UInt8, before next: UInt8?) -> String? {
            switch byte {
            case UInt8(ascii: "#") where " \t\n".utf8.contains(previous):
                isComment = true
            case UInt8(ascii: "\"") where isStart, UInt8(ascii: "'") where isStart:
                quote = byte
            case UInt8(ascii: "[") where isStart || depth > 0,
                UInt8(ascii: "{") where isStart || depth > 0:
                depth += 1
                if depth > depthLimit {
                    return "lists and mappings are nested more than \(depthLimit) deep"
                }
            case UInt8(ascii: "]") where depth > 0, UInt8(ascii: "}") where depth > 0:
                depth -= 1
            case UInt8(ascii: "&") where isStart && isName(next),
                UInt8(ascii: "*") where isStart && isName(next):
                return anchorReason
            default:
                break
            }
            return nil
        }

        /// Whether a value may begin here, as far as the bytes before tell.
        private var isStart: Bool {
            let isApart = " \t\n".utf8.contains(previous)
            if last == UInt8(ascii: "\n") || isApart && ":-?".utf8.contains(last) { return true }
            return depth > 0 && "[{,".utf8.contains(last)
        }

        private func isName(_ byte: UInt8?) -> Bool {
            guard let byte else { return false }
            let isLetter = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
            let isDigit = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            return isLetter || isDigit || byte == UInt8(ascii: "_")
        }
    }
}
