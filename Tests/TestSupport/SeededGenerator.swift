internal import Glibc
import Primitives

/// The same seed gives the same test again.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var random: SeededRandom

    package init(seed: UInt64) { random = SeededRandom(seed: seed) }

    /// A generator whose seed is in the test's output, so that a failure can be run again with
    /// `MILLRACE_SEED`.
    package static func printingSeed(_ test: String) -> SeededGenerator {
        let given = getenv("MILLRACE_SEED").flatMap { UInt64(String(cString: $0)) }
        let seed = given ?? .random(in: 0 ... .max)
        print("\(test): seed \(seed)")
        return SeededGenerator(seed: seed)
    }

    package mutating func next() -> UInt64 { random.next() }
}
