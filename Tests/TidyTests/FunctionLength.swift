/// Finds functions by counting braces in blanked code.
struct FunctionLength {
    /// Index of the line that holds `func`, `init`, `deinit` or `subscript`.
    var line: Int
    /// Lines from that one to the closing brace, both counted.
    var lineCount: Int

    static func all(in file: SourceFile) -> [FunctionLength] {
        let code = file.code.map { Array($0.utf8) }
        return code.indices.compactMap { line in
            guard let column = declaration(in: file.code[line]),
                let end = end(of: code, from: line, column: column)
            else { return nil }
            return FunctionLength(line: line, lineCount: end - line + 1)
        }
    }

    /// The column behind the keyword of a declaration with a body; nil if the line has none.
    private static func declaration(in line: String) -> Int? {
        let words = line.split(separator: " ")
        for word in words {
            let name = word.prefix { $0.isLetter }
            if ["func", "init", "deinit", "subscript"].contains(name) {
                return line.utf8.distance(from: line.utf8.startIndex, to: word.endIndex)
            }
            // Only modifiers and attributes may stand before the keyword; `self.init(` is a call.
            let isModifier =
                word.first == "@" || word.allSatisfy { $0.isLetter || "()".contains($0) }
            if !isModifier || calls.contains(name) { return nil }
        }
        return nil
    }

    private static let calls: Set<Substring> = [
        "return", "let", "var", "try", "await", "case", "if", "guard", "import", "else",
    ]

    /// The line of the brace that closes the body; nil for a requirement without a body.
    private static func end(of code: [[UInt8]], from line: Int, column: Int) -> Int? {
        var braces = 0
        var parentheses = 0
        var opensWithin = column
        for index in line..<code.count {
            for byte in code[index].dropFirst(opensWithin) {
                switch byte {
                case UInt8(ascii: "("), UInt8(ascii: "["): parentheses += 1
                case UInt8(ascii: ")"), UInt8(ascii: "]"): parentheses -= 1
                case UInt8(ascii: "{"): braces += 1
                case UInt8(ascii: "}"):
                    braces -= 1
                    if braces < 0 { return nil }
                    if braces == 0, parentheses <= 0 { return index }
                default: break
                }
            }
            opensWithin = 0
            // The signature ended, and the next declaration begins without a brace between.
            if braces == 0, parentheses <= 0, index + 1 < code.count,
                beginsDeclaration(code[index + 1])
            {
                return nil
            }
        }
        return nil
    }

    private static func beginsDeclaration(_ line: [UInt8]) -> Bool {
        let text = String(decoding: line, as: UTF8.self)
        guard let first = text.split(separator: " ").first else { return true }
        return ["func", "var", "let", "init", "static", "subscript", "associatedtype", "mutating"]
            .contains(first.prefix { $0.isLetter }) || first.first == "}" || first.first == "@"
    }
}
