/// A Swift file with its lines twice: as written, and with comments and the contents of string
/// literals blanked out, so that what is looked for in code is not found in prose.
struct SourceFile {
    /// Relative to the root.
    let path: String
    /// As written.
    let lines: [Substring]
    /// As many as `lines`, each as long, with spaces for what is no code.
    let code: [String]

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        var blanker = Blanker(text)
        code = blanker.blanked().split(separator: "\n", omittingEmptySubsequences: false)
            .map(String.init)
    }

    /// The target: `Sources/Journal/Journal.swift` is in `Journal`.
    var room: String { path.split(separator: "/").dropFirst().first.map(String.init) ?? "" }

    var isGenerated: Bool { path.hasSuffix(".pb.swift") }

    /// `path:line`, counted from one, for a message that an editor can follow.
    func place(_ index: Int) -> String { "\(path):\(index + 1)" }

    /// What the file imports: module name, line index, and the words before `import`.
    var imports: [(module: String, line: Int, attributes: [Substring])] {
        code.enumerated().compactMap { index, line in
            let words = line.split(separator: " ")
            guard let position = words.firstIndex(of: "import"), position + 1 < words.count,
                words[..<position].allSatisfy({ $0.first == "@" || $0.first?.isLowercase == true })
            else { return nil }
            // `import struct Glibc.stat` names a kind before the module.
            let kinds: Set<Substring> = [
                "struct", "class", "enum", "func", "var", "let", "protocol",
            ]
            let name = kinds.contains(words[position + 1]) ? words.last : words[position + 1]
            let module = name?.split(separator: ".").first.map(String.init) ?? ""
            return (module, index, Array(words[..<position]))
        }
    }
}

/// Walks Swift source and replaces comments and string contents by spaces; keeps every newline.
private struct Blanker {
    private let source: [UInt8]
    private var output: [UInt8] = []
    private var index = 0

    init(_ text: String) {
        source = Array(text.utf8)
        output.reserveCapacity(source.count)
    }

    mutating func blanked() -> String {
        code(until: nil)
        return String(decoding: output, as: UTF8.self)
    }

    /// Copies code up to `end`, a parenthesis that closes an interpolation, or to the end.
    private mutating func code(until end: UInt8?) {
        var depth = 0
        while index < source.count {
            if starts(with: "//") {
                blankWhile { $0 != UInt8(ascii: "\n") }
            } else if starts(with: "/*") {
                blankBlockComment()
            } else if let hashes = stringStart() {
                blankString(hashes: hashes)
            } else {
                let byte = source[index]
                if byte == UInt8(ascii: "(") { depth += 1 }
                if byte == UInt8(ascii: ")") {
                    if depth == 0, end != nil { return }
                    depth -= 1
                }
                copy()
            }
        }
    }

    /// The number of `#` before a quote that opens a string here; nil if none does.
    private func stringStart() -> Int? {
        var position = index
        while position < source.count, source[position] == UInt8(ascii: "#") { position += 1 }
        guard position < source.count, source[position] == UInt8(ascii: "\"") else { return nil }
        return position - index
    }

    private mutating func blankString(hashes: Int) {
        for _ in 0..<hashes { copy() }
        let isMultiline = starts(with: "\"\"\"")
        let quote = isMultiline ? "\"\"\"" : "\""
        let close = quote + String(repeating: "#", count: hashes)
        let escape = "\\" + String(repeating: "#", count: hashes)
        for _ in quote.utf8 { copy() }
        while index < source.count {
            if starts(with: close) {
                for _ in close.utf8 { copy() }
                return
            }
            if starts(with: escape) {
                for _ in escape.utf8 { blank() }
                let isInterpolation = starts(with: "(")
                copy()
                if isInterpolation { code(until: UInt8(ascii: ")")) }
            } else if !isMultiline, source[index] == UInt8(ascii: "\n") {
                return
            } else {
                blank()
            }
        }
    }

    private mutating func blankBlockComment() {
        var depth = 0
        repeat {
            if starts(with: "/*") {
                depth += 1
                blank()
            } else if starts(with: "*/") {
                depth -= 1
                blank()
            }
            blank()
        } while depth > 0 && index < source.count
    }

    private func starts(with text: String) -> Bool {
        source[index...].starts(with: text.utf8)
    }

    private mutating func blankWhile(_ goesOn: (UInt8) -> Bool) {
        while index < source.count, goesOn(source[index]) { blank() }
    }

    private mutating func copy() {
        guard index < source.count else { return }
        output.append(source[index])
        index += 1
    }

    private mutating func blank() {
        guard index < source.count else { return }
        output.append(source[index] == UInt8(ascii: "\n") ? UInt8(ascii: "\n") : UInt8(ascii: " "))
        index += 1
    }
}
