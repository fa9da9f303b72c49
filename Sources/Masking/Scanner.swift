/// Finds personal and secret text in bytes, in one pass.
///
/// DESIGN. A first stage in C (`ScanTables`) steps over bytes until one is a trigger: a byte that some
/// class cannot do without (`@`, the first digit of a run, the `J` of `eyJ`, …) whose neighbours do not
/// rule that class out. The check behind a trigger looks a bounded way back and ahead, or consumes what
/// it looked at; none goes back over text that another has consumed. So the time is linear in the text,
/// whatever the text is. What a check would accept the first stage must stop at; where a check changes,
/// its `may_…` function changes too.
///
/// Text can hide: `%40`, `\u0040`, full-width letters, zero-width spaces. At the first such byte the
/// scan stops and starts anew on a *folded* copy (`FoldedText`), whose map leads back to the original
/// bytes. That happens once a text.
struct Scanner {
    let text: ScanText
    /// True: weak shapes count without context.
    let isStrict: Bool
    /// In the order in which they were found; they may overlap until `finish`.
    private(set) var findings: [Finding] = []
    /// The text hides bytes; the findings are not complete.
    private(set) var needsFolding = false
    /// A shape was left alone for what stands, or does not stand, before it. Once a match between is
    /// replaced and the text has become shorter, it may look different.
    var hasDoubt = false
    /// Of a folded copy, which is not folded again: which of its bytes were disguised.
    private let disguised: UnsafeBufferPointer<Bool>?

    /// - Parameter disguised: of a folded copy; as many as `text` has bytes, valid as long.
    init(_ text: ScanText, isStrict: Bool, disguised: UnsafeBufferPointer<Bool>? = nil) {
        self.text = text
        self.isStrict = isStrict
        self.disguised = disguised
    }

    var isFolded: Bool { disguised != nil }

    /// Whether the byte at `index` can end what the one at `other` begins: if it was disguised, the other
    /// was as well.
    func isStructure(_ index: Int, as other: Int) -> Bool {
        guard let disguised, index < disguised.count else { return true }
        return !disguised[index] || disguised[other]
    }

    mutating func add(_ kind: PIIClass, _ start: Int, _ end: Int, _ reason: StaticString) {
        findings.append(Finding(kind, start, end, reason))
    }

    /// Gives up: the text must be scanned without its disguises.
    mutating func foldFirst() { needsFolding = true }

    /// Scans all of it. Cost: linear.
    mutating func run() {
        var index = 0
        while true {
            index = text.nextSuspect(from: index, isFolded: isFolded, &hasDoubt)
            guard index < text.count else { return }
            index = look(at: index)
            if needsFolding { return }
        }
    }

    /// - Returns: where to go on; always beyond `index`.
    private mutating func look(at index: Int) -> Int {
        let byte = text[index]
        switch byte {
        case 0x30...0x39: return lookAtDigits(index)
        case UInt8(ascii: "@"): return lookAtAt(index)
        case UInt8(ascii: ":"): return lookAtColon(index)
        case UInt8(ascii: "="): return lookAtAssignment(index)
        case UInt8(ascii: "J"): return lookAtJWT(index)
        case UInt8(ascii: "I"): return lookAtKeyID(index)
        case UInt8(ascii: "_"), UInt8(ascii: "."): return lookAtPrefix(index)
        case UInt8(ascii: "-"): return lookAtHyphen(index)
        case UInt8(ascii: "B"), UInt8(ascii: "b"): return lookAtScheme(index)
        default:
            needsFolding = !isFolded && FoldedText.hides(text, index)
            return index + 1
        }
    }

    /// Whether a word for a telephone stands within 30 bytes before `index`. A placeholder that an
    /// earlier pass left (`[PHONE]`) is no word.
    mutating func hasPhoneWord(before index: Int) -> Bool {
        if text.hasPhoneWord(before: index) { return true }
        hasDoubt = true
        return false
    }

    /// The same for words for payment cards.
    mutating func hasCardWord(before index: Int) -> Bool {
        if text.hasCardWord(before: index) { return true }
        hasDoubt = true
        return false
    }
}
