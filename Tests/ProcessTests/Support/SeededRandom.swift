internal import Glibc

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers for the same seed on every machine.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// A generator whose seed is in the test's output, so that a failure can be run again with
    /// `MILLRACE_SEED`.
    static func printingSeed(_ test: String) -> SeededRandom {
        let given = getenv("MILLRACE_SEED").flatMap { UInt64(String(cString: $0)) }
        let seed = given ?? .random(in: 0 ... .max)
        print("\(test): seed \(seed)")
        return SeededRandom(seed: seed)
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// One of `weighted`, as often as its weight says.
    mutating func pick<Value>(_ weighted: [(Value, Int)]) -> Value? {
        var left = Int.random(in: 0..<weighted.reduce(0) { $0 + $1.1 }, using: &self)
        for (value, weight) in weighted {
            if left < weight { return value }
            left -= weight
        }
        return weighted.last?.0
    }
}
