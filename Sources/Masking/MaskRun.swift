import Primitives

/// The state of one pass that masks a text.
struct MaskRun {
    struct ReportEntry {
        var finding: Finding
        var path: String
    }

    let masker: Masker
    let keepsReport: Bool
    private(set) var report: [ReportEntry] = []
    /// Replacing the matches may produce another match: the neighbour of a match could be part of one,
    /// or a shape was passed over because of the text before it.
    private(set) var wantsAnotherPass = false
    /// False in a pass over text that is masked already, so that no match is counted twice.
    var counts = true
    /// The path of the current value in JSON; set only if `wantsPath`.
    var path = ""
    let wantsPath: Bool
    /// More of a path is not wanted: a key may have a megabyte, and a hundred thousand values below it.
    let pathLimitBytes: Int

    init(_ masker: Masker, keepsReport: Bool = false) {
        self.masker = masker
        self.keepsReport = keepsReport
        wantsPath = keepsReport || masker.hasPaths
        pathLimitBytes = keepsReport ? .max : masker.pathLimitBytes
    }

    /// Appends `bytes`, masked, if anything in them is to be replaced; otherwise appends nothing.
    /// - Returns: whether it wrote.
    @discardableResult
    mutating func mask(
        _ bytes: UnsafeRawBufferPointer, as reading: Masker.Reading, at outer: String = "",
        into output: inout ByteBuffer
    ) -> Bool {
        path = outer
        if reading == .json || (reading == .line && JSONMasker.couldBeJSON(bytes)) {
            let start = output.count
            var walker = JSONMasker(bytes, nesting: 0, pathPrefix: outer)
            let isChanged = walker.run(&self, into: &output)
            if isChanged == true { return true }
            // Nothing was replaced, or it was no JSON after all.
            output.truncate(to: start)
            if isChanged == false { return false }
            forget(after: 0)
            path = outer
            // With its matches replaced the text may be JSON, and then names decide as well.
            requestAnotherPass()
        }
        let place = Place(
            source: bytes, offset: 0, pending: UnsafeRawBufferPointer(start: nil, count: 0))
        return replaceMatches(bytes, origins: nil, place, into: &output)
    }

    /// Has the masked text scanned once more: it may hold matches that this pass cannot see.
    mutating func requestAnotherPass() { wantsAnotherPass = true }

    /// Removes all entries of the report after the first `count`.
    mutating func forget(after count: Int) {
        report.removeLast(report.count - count)
        path = ""
    }

    /// Where a scanned text stands in what is being masked.
    struct Place {
        /// The text as it stands there, with its escapes.
        var source: UnsafeRawBufferPointer
        /// Of `source` in what the report counts from.
        var offset: Int
        /// What must be written before it, once anything is.
        var pending: UnsafeRawBufferPointer
    }

    /// Scans text and writes it with its matches replaced, after what is pending; writes nothing if
    /// nothing is to be replaced.
    /// - Parameters:
    ///   - bytes: the text, decoded.
    ///   - origins: for each of its bytes the offset in the source, and one more; nil if it is the
    ///     source.
    /// - Returns: whether it wrote.
    mutating func replaceMatches(
        _ bytes: UnsafeRawBufferPointer, origins: [Int32]?, _ place: Place,
        into output: inout ByteBuffer
    ) -> Bool {
        guard let base = bytes.baseAddress else { return false }
        let text = ScanText(base: base.assumingMemoryBound(to: UInt8.self), count: bytes.count)
        let isStrict = masker.replacement.policy.isStrict
        var scanner = Scanner(text, isStrict: isStrict)
        scanner.run()
        guard scanner.needsFolding else {
            if scanner.findings.isEmpty, masker.patterns.isEmpty { return false }
            if scanner.hasDoubt { wantsAnotherPass = true }
            return replace(judge(scanner.findings, text), text, origins, place, into: &output)
        }
        let folded = FoldedText(text, origins: origins)
        // Where a disguise is replaced, what is left may read in another way.
        wantsAnotherPass = true
        return folded.bytes.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return false }
            let text = ScanText(base: base, count: bytes.count)
            let found = folded.disguised.withUnsafeBufferPointer { disguised in
                var scanner = Scanner(text, isStrict: isStrict, disguised: disguised)
                scanner.run()
                if scanner.hasDoubt { wantsAnotherPass = true }
                return scanner.findings
            }
            return replace(judge(found, text), text, folded.origins, place, into: &output)
        }
    }

    /// Adds the matches of own rules, counts, drops what is allowed or off, and joins what overlaps.
    private mutating func judge(_ found: [Finding], _ text: ScanText) -> [Finding] {
        var found = found
        for pattern in masker.patterns { pattern.matches(text, path, into: &found, masker) }
        guard !found.isEmpty else { return found }
        let policy = masker.replacement.policy
        found.removeAll { finding in
            if masker.replacement.form(of: finding) == .off { return true }
            guard !policy.allowed.isEmpty else { return false }
            return policy.allowed.contains(text.string(finding.start, finding.end))
        }
        return joined(found)
    }

    /// Sorted, and those that overlap as one: it has the class of its longest. Where that is not the
    /// class of all, a second pass may find another one: what is left of the value of a secret name is
    /// still its value.
    private mutating func joined(_ found: [Finding]) -> [Finding] {
        guard found.count > 1 else { return found }
        var kept: [Finding] = []
        for finding in found.sorted(by: { ($0.start, $1.end) < ($1.start, $0.end) }) {
            guard let last = kept.last, finding.start < last.end else {
                kept.append(finding)
                continue
            }
            if finding.kind != last.kind { wantsAnotherPass = true }
            var joined = finding.end - finding.start > last.end - last.start ? finding : last
            joined.start = last.start
            joined.end = max(last.end, finding.end)
            kept[kept.count - 1] = joined
        }
        return kept
    }

    private mutating func replace(
        _ findings: [Finding], _ text: ScanText, _ origins: [Int32]?, _ place: Place,
        into output: inout ByteBuffer
    ) -> Bool {
        var copied = 0
        for finding in findings {
            let start = origins.map { Int($0[finding.start]) } ?? finding.start
            let end = origins.map { Int($0[finding.end]) } ?? finding.end
            note(finding, place.offset + start, place.offset + end)
            guard masker.replacement.form(of: finding) != .detect else { continue }
            if text.joins(finding.start - 1) || text.joins(finding.end) { wantsAnotherPass = true }
            if copied == 0 { output.append(place.pending) }
            output.append(UnsafeRawBufferPointer(rebasing: place.source[copied..<start]))
            let match = UnsafeRawBufferPointer(
                start: text.base + finding.start, count: finding.end - finding.start)
            masker.replacement.append(finding, match, to: &output)
            copied = end
        }
        guard copied > 0 else { return false }
        output.append(UnsafeRawBufferPointer(rebasing: place.source[copied...]))
        return true
    }

    /// Counts a match, and keeps it if somebody wants to know.
    mutating func note(_ finding: Finding, _ start: Int, _ end: Int) {
        if counts { masker.count(finding) }
        guard keepsReport else { return }
        var placed = finding
        placed.start = start
        placed.end = end
        report.append(ReportEntry(finding: placed, path: path))
    }
}

extension ScanText {
    /// Whether the byte at `index` may be part of a match: no white space, quote, comma, bracket.
    func joins(_ index: Int) -> Bool {
        let byte = self[index]
        switch byte {
        case 0...0x20, 0x22, 0x27, 0x28, 0x29, 0x2C, 0x3B, 0x3C, 0x3E, 0x7B, 0x7D:
            return false
        default: return true
        }
    }

    func string(_ start: Int, _ end: Int) -> String {
        String(
            decoding: UnsafeBufferPointer(start: base + start, count: end - start), as: UTF8.self)
    }
}
