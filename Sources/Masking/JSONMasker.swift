import Primitives

/// Masks one JSON text without parsing it into values.
///
/// DESIGN. A walk over the bytes keeps a stack of open brackets and the key of each level. Strings
/// are scanned decoded, and a match is replaced in the text as it stands, so everything else keeps
/// its bytes. A string that holds JSON is walked in turn. Below a secret name every string and number
/// is replaced; `true`, `false` and `null` say nothing and stay. The walk is strict: at the first
/// byte that cannot stand where it does it gives up, and the text is read as plain text.
struct JSONMasker {
    /// Deeper texts are read as plain text.
    private static let depthLimit = 256
    /// JSON in a string in JSON in a string … this often.
    private static let nestingLimit = 4

    private struct Level {
        var isObject: Bool
        /// The key at hand, in `bytes`.
        var key = Content()
        /// The same as a reader of the JSON has it, if that differs.
        var decodedKey: [UInt8]?
        /// Everything in it is secret.
        var isSecret: Bool
    }

    /// What stands between the quotes of a string.
    private struct Content {
        var start = 0
        var end = 0
        var hasEscape = false
    }

    private let bytes: UnsafeRawBufferPointer
    private let text: ScanText
    private let nesting: Int
    private let pathPrefix: String
    private var index = 0
    private var copied = 0
    private var isChanged = false
    private var levels: [Level] = []

    /// Whether it is worth a try: it begins and ends like an object or an array, a byte order mark aside.
    static func couldBeJSON(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var first = bytes.count - JSONScan.withoutByteOrderMark(bytes).count
        while first < bytes.count, JSONScan.isSpace(bytes[first]) { first += 1 }
        var last = bytes.count - 1
        while last > first, JSONScan.isSpace(bytes[last]) { last -= 1 }
        guard first < last else { return false }
        return (bytes[first] == UInt8(ascii: "{") && bytes[last] == UInt8(ascii: "}"))
            || (bytes[first] == UInt8(ascii: "[") && bytes[last] == UInt8(ascii: "]"))
    }

    init(_ bytes: UnsafeRawBufferPointer, nesting: Int, pathPrefix: String = "") {
        self.bytes = bytes
        self.nesting = nesting
        self.pathPrefix = pathPrefix
        let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        text = ScanText(base: base ?? ScanText.nothing, count: bytes.count)
        index = bytes.count - JSONScan.withoutByteOrderMark(bytes).count
    }

    /// Appends the masked text; nothing where nothing is replaced.
    /// - Returns: whether anything was replaced; nil if it is no JSON, and then `output` may hold part.
    mutating func run(_ run: inout MaskRun, into output: inout ByteBuffer) -> Bool? {
        guard value(&run, isSecret: false, into: &output) else { return nil }
        while !levels.isEmpty {
            guard step(&run, into: &output) else { return nil }
        }
        skipSpace()
        guard index == bytes.count else { return nil }
        if isChanged { output.append(UnsafeRawBufferPointer(rebasing: bytes[copied...])) }
        return isChanged
    }

    private mutating func skipSpace() { index = JSONScan.skipSpace(bytes, from: index) }

    /// One member, one element, or a closing bracket of the innermost level.
    private mutating func step(_ run: inout MaskRun, into output: inout ByteBuffer) -> Bool {
        let level = levels[levels.count - 1]
        skipSpace()
        let close = level.isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")
        if text[index] == close {
            levels.removeLast()
            index += 1
            return afterValue()
        }
        guard level.isObject else { return value(&run, isSecret: level.isSecret, into: &output) }
        guard text[index] == 0x22, let key = string(&run, isKey: true, isSecret: false, &output)
        else { return false }
        setKey(key)
        skipSpace()
        guard text[index] == UInt8(ascii: ":") else { return false }
        index += 1
        let isSecret = level.isSecret || (run.masker.masksNames && hasSecretKey)
        return value(&run, isSecret: isSecret, into: &output)
    }

    private mutating func setKey(_ key: Content) {
        let last = levels.count - 1
        levels[last].key = key
        levels[last].decodedKey = nil
        guard key.hasEscape else { return }
        let content = UnsafeRawBufferPointer(rebasing: bytes[key.start..<key.end])
        levels[last].decodedKey = UnescapedText(content)?.bytes
    }

    /// Whether the key at hand is the name of a secret.
    private var hasSecretKey: Bool {
        let level = levels[levels.count - 1]
        if let decoded = level.decodedKey {
            return decoded.withUnsafeBytes { SecretName.strength($0) != .none }
        }
        let name = UnsafeRawBufferPointer(rebasing: bytes[level.key.start..<level.key.end])
        return SecretName.strength(name) != .none
    }

    /// A comma, or nothing before a closing bracket.
    private mutating func afterValue() -> Bool {
        guard !levels.isEmpty else { return true }
        skipSpace()
        let isObject = levels[levels.count - 1].isObject
        if text[index] == UInt8(ascii: ",") {
            index += 1
            skipSpace()
            return text[index] != UInt8(ascii: "]") && text[index] != UInt8(ascii: "}")
        }
        return text[index] == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]"))
    }

    private mutating func value(
        _ run: inout MaskRun, isSecret: Bool, into output: inout ByteBuffer
    ) -> Bool {
        skipSpace()
        switch text[index] {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            guard levels.count < JSONMasker.depthLimit else { return false }
            levels.append(Level(isObject: text[index] == UInt8(ascii: "{"), isSecret: isSecret))
            index += 1
            return true
        case 0x22:
            return string(&run, isKey: false, isSecret: isSecret, &output) != nil && afterValue()
        case UInt8(ascii: "t"): return word("true") && afterValue()
        case UInt8(ascii: "f"): return word("false") && afterValue()
        case UInt8(ascii: "n"): return word("null") && afterValue()
        default: return number(&run, isSecret: isSecret, &output) && afterValue()
        }
    }

    private mutating func word(_ word: StaticString) -> Bool {
        guard text.has(word, at: index) else { return false }
        index += word.utf8CodeUnitCount
        return true
    }

    // MARK: Numbers

    private mutating func number(
        _ run: inout MaskRun, isSecret: Bool, _ output: inout ByteBuffer
    ) -> Bool {
        let start = index
        guard let end = endOfNumber(start) else { return false }
        index = end
        if isSecret {
            replaceNumber(Finding(.key, start, index, "name of the value"), &run, &output)
        } else if index - start >= 12 {
            var scanner = Scanner(
                ScanText(base: text.base + start, count: index - start), isStrict: false)
            scanner.run()
            if let card = scanner.findings.first(where: { $0.kind == .card }) {
                replaceNumber(Finding(.card, start, index, card.reason), &run, &output)
            }
        }
        return true
    }

    /// One after the number at `start` (RFC 8259, section 6); nil if none is there.
    private func endOfNumber(_ start: Int) -> Int? {
        var end = text[start] == UInt8(ascii: "-") ? start + 1 : start
        let whole = text.end(of: ByteClass.digit, from: end)
        guard whole > end, text[end] != 0x30 || whole == end + 1 else { return nil }
        end = whole
        if text[end] == UInt8(ascii: ".") {
            let fraction = text.end(of: ByteClass.digit, from: end + 1)
            guard fraction > end + 1 else { return nil }
            end = fraction
        }
        if text[end] | 0x20 == UInt8(ascii: "e") {
            let sign = text[end + 1] == UInt8(ascii: "+") || text[end + 1] == UInt8(ascii: "-")
            let first = end + (sign ? 2 : 1)
            let exponent = text.end(of: ByteClass.digit, from: first)
            guard exponent > first else { return nil }
            end = exponent
        }
        return end
    }

    /// Replaces a number, with quotes around what comes instead.
    private mutating func replaceNumber(
        _ finding: Finding, _ run: inout MaskRun, _ output: inout ByteBuffer
    ) {
        let form = run.masker.replacement.form(of: finding)
        guard form != .off else { return }
        tellPath(&run)
        run.note(finding, finding.start, finding.end)
        guard form != .detect else { return }
        output.append(UnsafeRawBufferPointer(rebasing: bytes[copied..<finding.start]))
        output.append("\"")
        let token = UnsafeRawBufferPointer(rebasing: bytes[finding.start..<finding.end])
        run.masker.replacement.append(finding, token, to: &output)
        output.append("\"")
        copied = finding.end
        isChanged = true
    }

    // MARK: Strings

    /// The string at `index`, a key or a value.
    /// - Returns: nil if it does not end or has bad escapes.
    private mutating func string(
        _ run: inout MaskRun, isKey: Bool, isSecret: Bool, _ output: inout ByteBuffer
    ) -> Content? {
        let start = index + 1
        var end = start
        var hasEscape = false
        while end < bytes.count, text.base[end] != 0x22 {
            let byte = text.base[end]
            if byte < 0x20 { return nil }
            if byte == UInt8(ascii: "\\") {
                hasEscape = true
                end += 1
            }
            end += 1
        }
        guard end < bytes.count else { return nil }
        index = end + 1
        guard start < end else { return Content(start: start, end: end) }
        if !isKey { tellPath(&run) }
        if isSecret {
            replaceSecret(start, end, &run, &output)
        } else if hasEscape {
            guard maskEscaped(start, end, &run, &output) else { return nil }
        } else {
            let content = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
            maskContent(content, origins: nil, start, end, &run, &output)
        }
        return Content(start: start, end: end, hasEscape: hasEscape)
    }

    private mutating func replaceSecret(
        _ start: Int, _ end: Int, _ run: inout MaskRun, _ output: inout ByteBuffer
    ) {
        let finding = Finding(.key, start, end, "name of the value")
        run.note(finding, start, end)
        guard run.masker.replacement.form(of: finding) != .detect else { return }
        output.append(UnsafeRawBufferPointer(rebasing: bytes[copied..<start]))
        let content = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
        run.masker.replacement.append(finding, content, to: &output)
        copied = end
        isChanged = true
    }

    private mutating func maskContent(
        _ decoded: UnsafeRawBufferPointer, origins: [Int32]?, _ start: Int, _ end: Int,
        _ run: inout MaskRun, _ output: inout ByteBuffer
    ) {
        let pending = UnsafeRawBufferPointer(rebasing: bytes[copied..<start])
        let source = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
        let place = MaskRun.Place(source: source, offset: start, pending: pending)
        if run.replaceMatches(decoded, origins: origins, place, into: &output) {
            copied = end
            isChanged = true
        }
    }

    /// - Returns: false if an escape is none.
    private mutating func maskEscaped(
        _ start: Int, _ end: Int, _ run: inout MaskRun, _ output: inout ByteBuffer
    ) -> Bool {
        let content = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
        guard let decoded = UnescapedText(content) else { return false }
        decoded.bytes.withUnsafeBytes { inner in
            if nesting < JSONMasker.nestingLimit, JSONMasker.couldBeJSON(inner),
                maskInner(inner, start, end, &run, &output)
            {
                return
            }
            maskContent(inner, origins: decoded.origins, start, end, &run, &output)
        }
        return true
    }

    /// Masks JSON that stands in a string.
    /// - Returns: false if it is no JSON.
    private mutating func maskInner(
        _ inner: UnsafeRawBufferPointer, _ start: Int, _ end: Int, _ run: inout MaskRun,
        _ output: inout ByteBuffer
    ) -> Bool {
        var masked = ByteBuffer(capacity: inner.count + 64)
        var walker = JSONMasker(inner, nesting: nesting + 1, pathPrefix: run.path)
        let mark = run.report.count
        guard let isInnerChanged = walker.run(&run, into: &masked) else {
            run.forget(after: mark)
            // With its matches replaced it may be JSON.
            run.requestAnotherPass()
            return false
        }
        guard isInnerChanged else { return true }
        // The quotes are written anew, with what stands between them.
        output.append(UnsafeRawBufferPointer(rebasing: bytes[copied..<start - 1]))
        output.append(jsonString: masked.span)
        copied = end + 1
        isChanged = true
        return true
    }

    // MARK: Paths

    /// The keys on the way to the value at hand, joined by dots. Made only where somebody asks, and as
    /// long as it is asked for.
    private func tellPath(_ run: inout MaskRun) {
        guard run.wantsPath else { return }
        var path = pathPrefix
        for level in levels where level.isObject {
            guard path.utf8.count < run.pathLimitBytes else { break }
            if !path.isEmpty { path += "." }
            let rest = run.pathLimitBytes - path.utf8.count
            let (start, end) = (level.key.start, level.key.end)
            path +=
                level.decodedKey.map { String(decoding: $0.prefix(rest), as: UTF8.self) }
                ?? text.string(start, start + min(rest, end - start))
        }
        run.path = path
    }
}
