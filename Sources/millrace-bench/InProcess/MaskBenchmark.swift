internal import Glibc
import Masking
import Primitives

/// Masking of lines as a log has them (`--only mask`), most without anything to mask. The speed is
/// that of the processor's time, so that what else the machine does changes it little.
struct MaskBenchmark: Benchmark {
    static let name = "mask"
    static let summary = "masking lines of prose, logfmt, JSON and of an access log with addresses"

    private static let prose =
        "The quick brown fox jumps over the lazy dog, and the dog does not care at all; it sleeps."
    private static let logfmt = """
        ts=2026-11-29T10:00:00.123Z level=info msg="request served" method=GET path=/products/42 \
        status=200 duration_ms=12.5 bytes=5316 cached=true route=/products/{id} worker=3
        """
    private static let json = """
        {"time":"2026-11-29T10:00:00.123Z","level":"info","message":"request served","method":"GET",\
        "path":"/products/42","status":200,"duration_ms":12.5,"bytes":5316,"cached":true,\
        "trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","user":{"plan":"pro","visits":17}}
        """
    private static let access = """
        83.149.9.216 - - [17/May/2015:10:05:03 +0000] "GET /presentations/logstash/images/a.png \
        HTTP/1.1" 200 203023 "http://example.com/presentations/" "Mozilla/5.0 (X11; Linux x86_64)"
        """

    private let masker = Masker.standard

    init(_ bench: Bench) throws(BenchFailure) {}

    var sides: [Side] {
        [
            side("prose", MaskBenchmark.prose, isClean: true),
            side("logfmt", MaskBenchmark.logfmt, isClean: true),
            side("JSON", MaskBenchmark.json, isClean: true),
            side("access log, an address a line", MaskBenchmark.access, isClean: false),
        ]
    }

    private func side(_ name: String, _ line: String, isClean: Bool) -> Side {
        let bytes = Bytes(line)
        return Side(name: name) { (time) throws(BenchFailure) in
            var output = ByteBuffer(capacity: 1024)
            var lines = 0
            let end = MonotonicTime.now() + time
            let start = MaskBenchmark.processorNanoseconds
            while MonotonicTime.now() < end {
                for _ in 0..<1000 {
                    output.removeAll()
                    let isChanged = masker.mask(bytes.span, as: .line, into: &output)
                    guard isChanged != isClean else {
                        throw BenchFailure("\(name): masked \(isChanged)")
                    }
                }
                lines += 1000
            }
            let used = Double(MaskBenchmark.processorNanoseconds - start)
            return [
                Figure(
                    "speed", .bytesPerSecond, Double(lines * bytes.count) * 1e9 / max(used, 1)),
                Figure("line", .nanoseconds, used / Double(lines)),
            ]
        }
    }

    /// Of the calling thread.
    private static var processorNanoseconds: Int {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}
