import MaskFuzz
import Primitives
import ProcessSupport
import Testing

/// The properties of masking (`MaskProperties`) on a corpus of seeds and on mutations of it: cut,
/// joined and changed bytes. The seed of a failure is in its message.
@Suite struct FuzzTests {
    private static var corpus: [[UInt8]] {
        let folder = #filePath.replacing("MaskingTests/FuzzTests.swift", with: "Fuzz/Corpus")
        return FileSystem.names(in: folder).compactMap { FileSystem.read(folder + "/" + $0) }
    }

    private static func fault(_ properties: MaskProperties, _ bytes: [UInt8]) -> String? {
        bytes.withUnsafeBytes { properties.fault(of: $0) }
    }

    @Test func `every property of masking holds for each seed, masker and reading`() throws {
        let properties = try MaskProperties()
        let corpus = Self.corpus
        #expect(corpus.count >= 10)
        for var seed in corpus {
            for choice in 0..<UInt8(72) {
                seed[0] = choice
                let fault = Self.fault(properties, seed)
                #expect(fault == nil, "\(String(decoding: seed, as: UTF8.self))")
            }
        }
    }

    /// The same mutations each time. A fuzzer looks for new ones, and an input that it finds becomes a
    /// seed once its fault is fixed.
    @Test(arguments: [UInt64(1), 2, 3])
    func `every property of masking holds for mutations of the seeds`(_ seed: UInt64) throws {
        let properties = try MaskProperties()
        let corpus = Self.corpus
        var random = SeededGenerator(seed: seed)
        for _ in 0..<4000 {
            let bytes = Self.mutated(corpus, &random)
            if let fault = Self.fault(properties, bytes) {
                Issue.record("seed \(random.seed): \(fault)")
                return
            }
        }
    }

    private static func mutated(
        _ corpus: [[UInt8]], _ random: inout SeededGenerator
    ) -> [UInt8] {
        var bytes = corpus.randomElement(using: &random) ?? []
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let other = corpus.randomElement(using: &random) ?? []
            let start = Int.random(in: 0...other.count, using: &random)
            let end = Int.random(in: start...min(other.count, start + 40), using: &random)
            let place = Int.random(in: 0...bytes.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes.insert(contentsOf: other[start..<end], at: place)
            case 1: bytes.removeSubrange(place..<min(bytes.count, place + end - start))
            case 2 where place < bytes.count:
                bytes[place] = UInt8.random(in: 0...255, using: &random)
            default: bytes.insert(UInt8.random(in: 0x20...0x7E, using: &random), at: place)
            }
        }
        return [UInt8.random(in: 0...255, using: &random)] + bytes.dropFirst()
    }
}
