import Primitives
internal import Synchronization

/// Masks personal and secret text.
///
///     let masker = try Masker(MaskingPolicy())
///     var clean = ByteBuffer()
///     masker.mask(line.span, as: .line, into: &clean)
///
/// Any thread may use it, many at the same time. Masking what it has masked changes nothing, and
/// JSON stays JSON. Cost: linear in the text; a text without matches is copied once and nothing is
/// allocated.
package final class Masker: Sendable {
    /// How bytes are to be read.
    package enum Reading: Sendable {
        /// Plain text.
        case text
        /// A JSON object or array; what is none is read as text.
        case line
        /// Any JSON text, a single string or number among them; what is none is read as text.
        case json
    }

    let replacement: Replacement
    let patterns: [RulePattern]
    /// A rule holds at some paths alone.
    let hasPaths: Bool
    /// So much of a path decides whether a rule holds there, however its characters are composed.
    let pathLimitBytes: Int
    private let counters: MatchCounters

    /// - Parameter other: counts the matches of this one as well; it has as many rules.
    /// - Throws: what is wrong with a rule, or that the `hash` form has no key.
    package init(
        _ policy: MaskingPolicy, countedBy other: Masker? = nil
    ) throws(MaskingError) {
        let wantsHash =
            policy.forms.values.contains(.hash) || policy.rules.contains { $0.form == .hash }
        guard !wantsHash || policy.hashKey != nil else {
            throw MaskingError("the form `hash` needs a key")
        }
        var patterns: [RulePattern] = []
        for rule in policy.rules { patterns.append(try RulePattern(rule)) }
        self.patterns = patterns
        hasPaths = patterns.contains { $0.hasPaths }
        let longest = policy.rules.flatMap { $0.includedPaths + $0.excludedPaths }
            .map(\.utf8.count).max()
        pathLimitBytes = (longest ?? 0) * 4 + 64
        replacement = Replacement(policy)
        counters =
            other?.counters
            ?? MatchCounters(count: PIIClass.allCases.count + policy.rules.count)
    }

    /// One that masks some classes and rules alone, and counts where this one counts.
    /// - Parameter names: of classes and rules; others are ignored.
    package func limited(to names: Set<String>) throws(MaskingError) -> Masker {
        var policy = replacement.policy
        for kind in PIIClass.allCases where !names.contains(kind.name) { policy.forms[kind] = .off }
        for index in policy.rules.indices where !names.contains(policy.rules[index].name) {
            policy.rules[index].form = .off
        }
        return try Masker(policy, countedBy: self)
    }

    package var policy: MaskingPolicy { replacement.policy }

    /// With the default policy, which cannot fail.
    package static let standard: Masker = {
        guard let masker = try? Masker(MaskingPolicy()) else {
            preconditionFailure("the default policy has no rule that could be wrong")
        }
        return masker
    }()

    /// Appends `bytes` to `output`, masked.
    /// - Parameter path: where the text stands in its record, for rules that hold at some paths.
    /// - Returns: whether anything was replaced.
    @discardableResult
    package func mask(
        _ bytes: UnsafeRawBufferPointer, as reading: Reading, at path: String = "",
        into output: inout ByteBuffer
    ) -> Bool {
        if replace(bytes, as: reading, at: path, into: &output) { return true }
        output.append(bytes)
        return false
    }

    /// Appends `bytes`, masked, if anything in them is to be replaced; otherwise appends nothing.
    /// - Parameter counts: false where the same text has been counted before.
    /// - Returns: whether it wrote.
    package func replace(
        _ bytes: UnsafeRawBufferPointer, as reading: Reading, at path: String = "",
        counts: Bool = true, into output: inout ByteBuffer
    ) -> Bool {
        if patterns.isEmpty, Masker.isOrdinary(bytes, as: reading) { return false }
        let start = output.count
        var run = MaskRun(self)
        run.counts = counts
        guard run.mask(bytes, as: reading, at: path, into: &output) else { return false }
        if run.wantsAnotherPass { maskAgain(from: start, as: reading, at: path, &output) }
        return true
    }

    /// Most texts hold nothing that a check has to look at, JSON included, and one pass says so.
    private static func isOrdinary(
        _ bytes: UnsafeRawBufferPointer, as reading: Reading
    ) -> Bool {
        guard let base = bytes.baseAddress else { return true }
        let text = ScanText(base: base.assumingMemoryBound(to: UInt8.self), count: bytes.count)
        return text.isOrdinary(
            isJSON: reading == .json || (reading == .line && JSONMasker.couldBeJSON(bytes)))
    }

    /// Passes over a text until one changes nothing: this many, with the first.
    private static let passLimit = 5

    /// A placeholder is another neighbour than the match was, so what stood beside it may be a match
    /// now: `x6::1` is none and `[IBAN]::1` may be one.
    private func maskAgain(
        from start: Int, as reading: Reading, at path: String, _ output: inout ByteBuffer
    ) {
        for _ in 1..<Masker.passLimit {
            var again = ByteBuffer(capacity: output.count - start + 64)
            let bytes = UnsafeRawBufferPointer(rebasing: output.span[start...])
            var run = MaskRun(self)
            run.counts = false
            guard run.mask(bytes, as: reading, at: path, into: &again),
                !again.span.elementsEqual(bytes)
            else { return }
            output.truncate(to: start)
            output.append(again.span)
        }
    }

    /// Appends the value that stands under `name` in a record, masked: a secret name masks all of it.
    @discardableResult
    package func mask(
        _ value: UnsafeRawBufferPointer, named name: UnsafeRawBufferPointer,
        into output: inout ByteBuffer
    ) -> Bool {
        let isSecret = SecretName.strength(name) != .none
        if replace(value, named: name, isSecret: isSecret, into: &output) { return true }
        output.append(value)
        return false
    }

    /// Appends the value that stands under `name` in a record, masked, if anything in it is to be
    /// replaced; otherwise appends nothing.
    /// - Parameters:
    ///   - isSecret: what `SecretName` says of the name, so that a caller need not ask each time.
    ///   - counts: false where the same value has been counted before.
    /// - Returns: whether it wrote.
    package func replace(
        _ value: UnsafeRawBufferPointer, named name: UnsafeRawBufferPointer, isSecret: Bool,
        counts: Bool = true, into output: inout ByteBuffer
    ) -> Bool {
        if isSecret, !value.isEmpty, masksNames {
            let finding = Finding(.key, 0, value.count, "name of the value")
            if counts { count(finding) }
            guard replacement.form(of: finding) != .detect else { return false }
            replacement.append(finding, value, to: &output)
            return true
        }
        let path = hasPaths ? String(decoding: name, as: UTF8.self) : ""
        return replace(value, as: .line, at: path, counts: counts, into: &output)
    }

    /// What would be masked in `bytes`, in the order of the text; offsets count in `bytes`.
    package func explain(
        _ bytes: UnsafeRawBufferPointer, as reading: Reading,
        _ report: (_ finding: Finding, _ path: String, _ form: MaskForm) -> Void
    ) {
        var output = ByteBuffer()
        var run = MaskRun(self, keepsReport: true)
        run.mask(bytes, as: reading, into: &output)
        for entry in run.report {
            report(entry.finding, entry.path, replacement.form(of: entry.finding))
        }
    }

    /// The name of a finding's class or rule.
    package func name(of finding: Finding) -> String {
        finding.kind?.name
            ?? replacement.policy.rules[finding.rule - PIIClass.allCases.count].name
    }

    /// Matches since start, by the name of the class or rule.
    package var counts: [(name: String, count: UInt64)] {
        let names =
            PIIClass.allCases.map(\.name) + replacement.policy.rules.map(\.name)
        return names.enumerated().map { ($1, counters[$0]) }
    }

    func count(_ finding: Finding) { counters.add(finding.rule) }

    var masksNames: Bool { replacement.masksNames }
}

/// One counter a rule, in memory of their own that lives as long as this.
private final class MatchCounters: @unchecked Sendable {  // Atomics at fixed places.
    private let base: UnsafeMutablePointer<Atomic<UInt64>>
    private let count: Int

    init(count: Int) {
        self.count = count
        base = .allocate(capacity: count)
        for index in 0..<count { (base + index).initialize(to: Atomic(0)) }
    }

    deinit {
        base.deinitialize(count: count)
        base.deallocate()
    }

    func add(_ index: Int) { base[index].add(1, ordering: .relaxed) }
    subscript(index: Int) -> UInt64 { base[index].load(ordering: .relaxed) }
}
