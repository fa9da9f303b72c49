import Primitives

/// The journal's checksum.
struct ChecksumBenchmark: Benchmark {
    static let name = "crc32c"
    static let summary = "CRC-32C of one small event and of a batch"

    private let bytes = Bytes(SampleEvents.lines)
    private let sink = Locked<UInt32>(0)

    init(_ bench: Bench) throws(BenchFailure) {}

    var sides: [Side] { [side("event, 160 bytes", 160), side("batch, 60,000 bytes", 60_000)] }

    private func side(_ name: String, _ count: Int) -> Side {
        Side(name: name) { (time) throws(BenchFailure) in
            // Some 20 µs to one reading of the watch.
            let repeats = max(1, 120_000 / count)
            let text = UnsafeRawBufferPointer(rebasing: bytes.span[..<count])
            var sum: UInt32 = 0
            var watch = Stopwatch()
            try watch.run(for: time) { () throws(BenchFailure) in
                for _ in 0..<repeats { sum = crc32c(text, seed: sum) }
            }
            // Somebody has to want the sums, or none would be made.
            sink.withLock { $0 ^= sum }
            let rate = watch.perSecond(Double(repeats))
            return [
                Figure("checksum", .nanoseconds, 1e9 / rate),
                Figure("speed", .bytesPerSecond, rate * Double(count)),
            ]
        }
    }
}
