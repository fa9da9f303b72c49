internal import CRE2

/// An operator's rule, compiled. Frees what RE2 made in `deinit`.
final class RulePattern: @unchecked Sendable {  // RE2's matching is safe from any thread.
    private let handle: OpaquePointer
    private let rule: MaskingRule
    let hasPaths: Bool
    /// In lower case.
    private let context: [[UInt8]]

    /// - Throws: RE2's message, or what else is wrong with the rule.
    init(_ rule: MaskingRule) throws(MaskingError) {
        let isName =
            !rule.name.isEmpty
            && rule.name.utf8.allSatisfy {
                ByteClass.table[Int($0)] & ByteClass.alphanumeric != 0 || $0 == UInt8(ascii: "_")
            }
        guard isName else {
            throw MaskingError("a rule's name consists of letters, digits and _")
        }
        guard PIIClass(name: rule.name) == nil else {
            throw MaskingError("rule `\(rule.name)`: a class has that name")
        }
        switch RulePattern.compile(rule.pattern) {
        case .success(let made): handle = made
        case .failure(let fault): throw MaskingError("rule `\(rule.name)`: \(fault.message)")
        }
        self.rule = rule
        context = rule.context.map { Array($0.lowercased().utf8) }
        hasPaths = !rule.includedPaths.isEmpty || !rule.excludedPaths.isEmpty
    }

    deinit { millrace_re2_free(handle) }

    /// The caller frees what it is given.
    private static func compile(_ pattern: String) -> Result<OpaquePointer, MaskingError> {
        var message = [CChar](repeating: 0, count: 256)
        let made = pattern.withCString {
            millrace_re2_create($0, pattern.utf8.count, &message, message.count)
        }
        guard let made else {
            let text = String(
                decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            return .failure(MaskingError("the pattern is not understood: \(text)"))
        }
        guard !millrace_re2_matches_empty(made) else {
            millrace_re2_free(made)
            return .failure(MaskingError("the pattern matches nothing at all"))
        }
        return .success(made)
    }

    /// What is wrong with a pattern; nil if nothing is.
    static func fault(in pattern: String) -> String? {
        switch compile(pattern) {
        case .success(let made):
            millrace_re2_free(made)
            return nil
        case .failure(let fault): return fault.message
        }
    }

    /// Adds the matches in `text`. Cost: linear, whatever the pattern.
    func matches(_ text: ScanText, _ path: String, into found: inout [Finding], _ masker: Masker) {
        guard rule.form != .off, holds(at: path) else { return }
        let index = masker.patterns.firstIndex { $0 === self } ?? 0
        var from = 0
        while from < text.count {
            var start = 0
            var end = 0
            let isFound = millrace_re2_find(handle, text.base, text.count, from, &start, &end)
            guard isFound, end > start else { return }
            from = end
            if accepts(text, start, end) {
                found.append(
                    Finding(rule: PIIClass.allCases.count + index, start, end, "own pattern"))
            }
        }
    }

    private func holds(at path: String) -> Bool {
        guard hasPaths else { return true }
        func covers(_ prefix: String) -> Bool { path == prefix || path.hasPrefix(prefix + ".") }
        if rule.excludedPaths.contains(where: covers) { return false }
        return rule.includedPaths.isEmpty || rule.includedPaths.contains(where: covers)
    }

    private func accepts(_ text: ScanText, _ start: Int, _ end: Int) -> Bool {
        if !rule.allowed.isEmpty, rule.allowed.contains(text.string(start, end)) { return false }
        switch rule.validator {
        case .none: break
        case .luhn:
            var digits = CardNumber()
            for index in start..<end where text.isIn(ByteClass.digit, index) {
                guard digits.count < 19 else { return false }
                digits.append(text[index])
            }
            guard digits.count > 1, digits.passesLuhn else { return false }
        case .mod97:
            guard IBAN.passesMod97(text, start, end) else { return false }
        }
        return context.isEmpty || hasContext(text, before: start)
    }

    /// A placeholder that an earlier pass left (`[CARD]`) is no context.
    private func hasContext(_ text: ScanText, before start: Int) -> Bool {
        for index in max(0, start - 30)..<start where text[index - 1] != UInt8(ascii: "[") {
            for word in context where text.hasFolded(word, at: index) { return true }
        }
        return false
    }
}
