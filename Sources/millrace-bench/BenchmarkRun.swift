/// Runs one benchmark.
enum BenchmarkRun {
    static func result(of type: any Benchmark.Type, _ bench: Bench) -> BenchmarkResult {
        var result = BenchmarkResult(name: type.name)
        do throws(BenchFailure) { try measure(type, bench, &result) } catch { result.fail(error) }
        return result
    }

    /// Each round measures every side once: what drifts (other load, a warming processor) then
    /// falls on all of them alike.
    private static func measure(
        _ type: any Benchmark.Type, _ bench: Bench, _ result: inout BenchmarkResult
    ) throws(BenchFailure) {
        let benchmark = try type.init(bench)
        let sides = benchmark.sides
        for _ in 0..<max(bench.rounds, type.leastRounds) {
            for side in sides { result.add(try side.measure(bench.time), to: side.name) }
        }
        for last in try benchmark.finish() { result.add(last.figures, to: last.side) }
    }
}
