/// Something that can be measured by its name. Made right before it runs and dropped right after,
/// so what it holds (a server, a store) is there for no other benchmark.
protocol Benchmark {
    /// What the command line calls it.
    static var name: String { get }
    /// One line for `--list`.
    static var summary: String { get }
    /// Rounds that its median needs, whatever was asked for.
    static var leastRounds: Int { get }

    /// Prepares everything that is not to be measured.
    init(_ bench: Bench) throws(BenchFailure)

    /// What is compared, or variants of the same: each round measures all of them in turn.
    var sides: [Side] { get }

    /// After the last round: checks that what was measured really happened, and tells what shows
    /// only then. An error takes every figure of the benchmark with it.
    func finish() throws(BenchFailure) -> [SideFigures]
}

extension Benchmark {
    static var leastRounds: Int { 1 }

    func finish() throws(BenchFailure) -> [SideFigures] { [] }
}

/// One thing that a benchmark measures again and again.
struct Side {
    let name: String
    /// Works for about the time it is given. The first figure is the one that matters most.
    let measure: (Duration) throws(BenchFailure) -> [Figure]
}

/// Figures of one side, from one round.
struct SideFigures {
    let side: String
    let figures: [Figure]
}
