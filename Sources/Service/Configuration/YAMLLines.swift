/// Finds a key's line in YAML text, for messages. Block style by indentation; for a key within
/// braces it is the line of the key before the brace.
enum YAMLLines {
    /// From 1; nil if no line begins with the first key.
    static func line(of keys: [String], in text: String) -> Int? {
        var rest = keys[...]
        var found: Int?
        var indent = -1
        // The depth of the mapping that the next key must be in; known from its first line.
        var level: Int?
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            let content = line.drop { $0 == " " }
            guard !content.isEmpty, content.first != "#" else { continue }
            let depth = line.count - content.count
            // A line that is not deeper than the last match ends what belongs to it.
            if depth <= indent { break }
            let expected = level ?? depth
            level = expected
            guard depth == expected, let name = rest.first, begins(content, with: name) else {
                continue
            }
            found = index + 1
            indent = depth
            level = nil
            rest = rest.dropFirst()
            if rest.isEmpty { break }
        }
        return found
    }

    /// Whether there is nothing but comments, blank lines and document marks.
    static func saysNothing(_ text: String) -> Bool {
        text.split(whereSeparator: \.isNewline).allSatisfy { line in
            let content = line.drop { $0 == " " || $0 == "\t" }
            return content.isEmpty || content.first == "#" || content == "---" || content == "..."
        }
    }

    /// The line of the first `{}`, from 1, the whole text's or that of all `sections` aside: the
    /// parser tells of values alone, so a name without any would vanish without a word.
    static func emptyMapping(in text: String, besides sections: [String]) -> Int? {
        var line = 1
        var quote: Character?
        var isComment = false
        // The last letter that is no space, and the text from the line's start up to here.
        var last: Character = "\n"
        var begun = ""
        var isOpen = false
        for letter in text {
            defer {
                if letter != " " { last = letter }
                if letter.isNewline { begun = "" } else { begun.append(letter) }
            }
            if letter.isNewline {
                line += 1
                isComment = false
                continue
            }
            guard !isComment else { continue }
            if let open = quote {
                if letter == open { quote = nil }
                continue
            }
            let isStart = last.isNewline || ":,{[-".contains(last)
            switch letter {
            case "#" where begun.isEmpty || begun.hasSuffix(" "): isComment = true
            case "\"" where isStart, "'" where isStart: (quote, isOpen) = (letter, false)
            case "{":
                let isSection = sections.contains { begun == $0 + ": " }
                isOpen = isStart && !begun.isEmpty && !isSection
            case "}" where isOpen: return line
            case " ": break
            default: isOpen = false
            }
        }
        return nil
    }

    private static func begins(_ line: Substring, with key: String) -> Bool {
        for form in [key, "\"\(key)\"", "'\(key)'"] where line.hasPrefix(form) {
            return line.dropFirst(form.count).drop { $0 == " " }.first == ":"
        }
        return false
    }
}
