import Masking
import Primitives
import Testing

/// How much is found and how much of it rightly, by class, on texts made for it.
@Suite struct CorpusTests {
    struct Score {
        var found = 0
        var missed: [String] = []
        var wrong: [String] = []
        var quiet = 0

        var recall: Double { Double(found) / Double(max(1, found + missed.count)) }
        var precision: Double { Double(found) / Double(max(1, found + wrong.count)) }
    }

    @Test(arguments: MaskingCorpus.samples.map(\.kind))
    func `a class is found where it is, and nowhere else`(_ kind: PIIClass) throws {
        let sample = try #require(MaskingCorpus.samples.first { $0.kind == kind })
        var score = Score()
        for line in MaskingCorpus.lines {
            for value in sample.values {
                let text = CorpusTests.fill(line, value)
                if CorpusTests.classes(in: text).contains(kind) {
                    score.found += 1
                } else {
                    score.missed.append(text)
                }
            }
            for value in sample.nearMisses {
                let text = CorpusTests.fill(line, value)
                if CorpusTests.classes(in: text).contains(kind) {
                    score.wrong.append(text)
                } else {
                    score.quiet += 1
                }
            }
        }
        print(
            "\(kind.name): precision \(score.precision), recall \(score.recall)",
            "(\(score.found) found, \(score.missed.count) missed, \(score.wrong.count) wrong,",
            "\(score.quiet) near misses left alone)")
        if !score.wrong.isEmpty { print("wrong:", score.wrong) }
        #expect(score.recall >= 0.99, "missed: \(score.missed.prefix(12))")
        #expect(score.precision >= 0.99, "wrong: \(score.wrong.prefix(12))")
    }

    /// Puts the value where the mark is. In JSON it is escaped as often as it is nested.
    static func fill(_ line: String, _ value: String) -> String {
        var value = value
        let depth = line.hasPrefix("{\"payload\"") ? 2 : line.hasPrefix("{") ? 1 : 0
        for _ in 0..<depth {
            value = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        }
        return line.replacing("%", with: value, maxReplacements: 1)
    }

    static func classes(in text: String) -> Set<PIIClass> {
        var kinds: Set<PIIClass> = []
        let bytes = Bytes(text)
        withExtendedLifetime(bytes) {
            Masker.standard.explain(bytes.span, as: .line) { finding, _, _ in
                if let kind = finding.kind { kinds.insert(kind) }
            }
        }
        return kinds
    }
}
