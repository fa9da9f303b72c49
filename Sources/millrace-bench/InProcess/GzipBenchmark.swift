import Primitives

/// Content codings, both ways, over a body of 500 events.
struct GzipBenchmark: Benchmark {
    static let name = "gzip"
    static let summary = "gzip of 500 events: compress as replies are, inflate as bodies are"

    private let plain = Bytes(SampleEvents.lines)
    private let packed: Bytes

    init(_ bench: Bench) throws(BenchFailure) { packed = gzipCompress(plain.span) }

    var sides: [Side] {
        [
            Side(name: "compress") { (time) throws(BenchFailure) in
                var watch = Stopwatch()
                var bytes = 0
                try watch.run(for: time) { () throws(BenchFailure) in
                    bytes = gzipCompress(plain.span).count
                }
                return figures(watch) + [
                    Figure("of the size", .ratio, Double(bytes) / Double(plain.count))
                ]
            },
            Side(name: "inflate") { (time) throws(BenchFailure) in
                var watch = Stopwatch()
                var output = ByteBuffer(capacity: plain.count)
                let limits = Inflate.Limits(outputBytes: 64 << 20)
                try watch.run(for: time) { () throws(BenchFailure) in
                    output.removeAll()
                    do throws(InflateError) {
                        try Inflate.inflate(packed.span, .gzip, limits: limits, into: &output)
                    } catch { throw BenchFailure("not inflated: \(error)") }
                }
                guard output.span.elementsEqual(plain.span) else {
                    throw BenchFailure("what came out is not what went in")
                }
                return figures(watch)
            },
        ]
    }

    private func figures(_ watch: Stopwatch) -> [Figure] {
        [Figure("plain", .bytesPerSecond, watch.perSecond(Double(plain.count)))]
            + watch.latency.figures()
    }
}
