import TestSupport
import Testing

/// `millrace-bench replay`, beside libCacheSim, which counts LRU's hits and those of the optimum by
/// programs of its own.
@Suite(.processes) struct ReplayTests {
    private static let sizes = [64, 300, 2000]

    @Test func `counts the hits of LRU and of the optimum as libCacheSim does`() throws {
        let folder = try TemporaryDirectory()
        var random = SeededGenerator.printingSeed("replay")
        // What is popular, what is scanned once, and a loop that is larger than the small caches.
        var keys: [Int] = []
        for step in 0..<40_000 {
            keys.append(
                Int.random(in: 0..<Int.random(in: 1...4000, using: &random), using: &random))
            if step.isMultiple(of: 3) { keys.append(10_000 + step) }
            if step > 20_000 { keys.append(100_000 + step % 900) }
        }
        try folder.write("keys", keys.map { "key-\($0)" }.joined(separator: "\n"))
        let runs = (0..<3000).map { number in
            let start = Int.random(in: 1...3000, using: &random)
            return "\(start) \(Int.random(in: 1...20, using: &random)) 0 \(number)"
        }
        try folder.write("runs", runs.joined(separator: "\n"))
        for name in ["keys", "runs"] { try compare(folder.file(name), folder) }
    }

    private func compare(_ trace: String, _ folder: TemporaryDirectory) throws {
        let sizes = ReplayTests.sizes.map(String.init)
        let report = folder.file("report.json")
        let process = try ChildProcess(
            [BuildFolder.program("millrace-bench"), "replay", trace, "--json", report]
                + sizes.flatMap { ["--entries", $0] },
            output: folder.file("output"), errors: folder.file("output"))
        let ending = process.exit(within: .seconds(120))
        #expect(ending == .exited(0), "\(FileSystem.text(folder.file("output")))")
        let results = try JSONTree.parse(FileSystem.text(report))[0]?["results"]
        let judged = try ForeignClient.run("judge.py", [trace] + sizes)
        for (place, size) in sizes.enumerated() {
            let result = try #require(results?[place])
            let (ours, lru, optimum) = (
                try #require(result["hits"]?.integer), result["lru_hits"]?.integer,
                try #require(result["optimum_hits"]?.integer)
            )
            #expect(lru == judged[size]?["lru_hits"]?.integer, "\(size)")
            #expect(optimum == judged[size]?["optimum_hits"]?.integer, "\(size)")
            #expect(ours > 0 && ours <= optimum, "\(size)")
        }
    }
}
