import Masking
import Primitives
import ProcessSupport
import Telemetry

/// A record with six fields through the service's own logger (`--only logger`), masked as the service
/// does: what a call costs its thread, and how many records a second reach a file.
///
/// A call is timed alone, between two readings of the clock; what the readings themselves take is
/// measured in the same round and shown beside it, and the figures still contain it. `enqueue` is
/// the mean of calls in a row. The sustained rate counts lines in the file, from the first call
/// until the file is complete; the callers wait while the log has much to write, as nothing may be
/// dropped.
struct LoggerBenchmark: Benchmark {
    static let name = "logger"
    static let summary =
        "a record of six fields: a call, calls in a row, records a second to a file"

    /// 1,000 records of some 200 bytes: they fit below the mark at which rings drop.
    private static let burst = 1000
    /// What all threads may have waiting: above the half of a ring, at which the back end is woken,
    /// and below the four fifths at which a ring drops records.
    private static let waitingBytes = 400 << 10
    /// What may wait for the file, below what its queue holds.
    private static let waitingLinesBytes = 3 << 20
    private static let paceEvery = 64

    private let scratch: ScratchDirectory
    /// As the service's own log has it.
    private static let options: LogOptions = {
        var options = LogOptions()
        options.masker = .standard
        return options
    }()

    init(_ bench: Bench) throws(BenchFailure) {
        scratch = bench.scratch
        let source = FileSystem.text(
            "/sys/devices/system/clocksource/clocksource0/current_clocksource")
        print("clocksource: \(source)", terminator: "")
    }

    var sides: [Side] {
        [
            Side(name: "two clock readings") { (time) throws(BenchFailure) in
                measureClock(time)
            },
            Side(name: "a call") { (time) throws(BenchFailure) in try measureCall(time) },
            Side(name: "a call below the level") { (time) throws(BenchFailure) in
                measureDisabled(time)
            },
            Side(name: "calls in a row") { (time) throws(BenchFailure) in
                try measureEnqueue(time)
            },
            Side(name: "to a file, one thread") { (time) throws(BenchFailure) in
                try measureSustained(time, threads: 1)
            },
            Side(name: "to a file, two threads") { (time) throws(BenchFailure) in
                try measureSustained(time, threads: 2)
            },
        ]
    }

    @inline(__always)
    private func call(_ log: Logger, _ number: Int, _ user: String, _ path: String) {
        log.info("request served") {
            $0.add("user", user)
            $0.add("status", 200)
            $0.add("duration_ms", 12.5)
            $0.add("cached", true)
            $0.add("path", path)
            $0.add("number", number)
        }
    }

    private func measureClock(_ time: Duration) -> [Figure] {
        var latency = LatencyRecorder()
        let end = MonotonicTime.now() + time / 10
        var before = MonotonicTime.now()
        while before < end {
            before = .now()
            latency.record(from: before, to: .now())
        }
        return latency.figures(percentiles: [50, 99.9])
    }

    private func measureCall(_ time: Duration) throws(BenchFailure) -> [Figure] {
        try withLogger { (log) throws(BenchFailure) in
            var latency = LatencyRecorder()
            let (user, path) = ("u_123456", "/products/42")
            var (calls, allocated) = (0, UInt64(0))
            let end = MonotonicTime.now() + time
            while MonotonicTime.now() < end {
                let start = AllocationCount.now ?? 0
                for number in 0..<LoggerBenchmark.burst {
                    let before = MonotonicTime.now()
                    call(log, number, user, path)
                    let after = MonotonicTime.now()
                    latency.record(from: before, to: after)
                }
                allocated += (AllocationCount.now ?? 0) - start
                calls += LoggerBenchmark.burst
                try settle(log)
            }
            return latency.figures(percentiles: [50, 99.9])
                + [Figure("allocations/call", .count, Double(allocated) / Double(calls))]
        }
    }

    private func measureDisabled(_ time: Duration) -> [Figure] {
        let log = Logger(level: .warning, outputs: [])
        defer { log.close() }
        var watch = (calls: 0, start: MonotonicTime.now())
        let end = watch.start + time / 10
        while MonotonicTime.now() < end {
            for number in 0..<LoggerBenchmark.burst { call(log, number, "u_123456", "/p") }
            watch.calls += LoggerBenchmark.burst
        }
        let elapsed = MonotonicTime.now().since(watch.start).inSeconds
        return [Figure("call", .nanoseconds, elapsed * 1e9 / Double(watch.calls))]
    }

    private func measureEnqueue(_ time: Duration) throws(BenchFailure) -> [Figure] {
        try withLogger { (log) throws(BenchFailure) in
            let (user, path) = ("u_123456", "/products/42")
            var (calls, busy) = (0, Duration.zero)
            let end = MonotonicTime.now() + time
            while MonotonicTime.now() < end {
                let start = MonotonicTime.now()
                for number in 0..<LoggerBenchmark.burst { call(log, number, user, path) }
                busy += MonotonicTime.now().since(start)
                calls += LoggerBenchmark.burst
                try settle(log)
            }
            return [Figure("call", .nanoseconds, busy.inSeconds * 1e9 / Double(calls))]
        }
    }

    private func measureSustained(
        _ time: Duration, threads: Int
    ) throws(BenchFailure) -> [Figure] {
        let path = scratch.file("sustained.log")
        let log = Logger(
            level: .info, options: LoggerBenchmark.options,
            outputs: [LogOutput(LogFile(LogFileOptions(path: path, maxBytes: 1 << 40)), .json)])
        let start = MonotonicTime.now()
        let total = Locked(0)
        let workers = (0..<threads).map { _ in
            Thread(name: "bench-log") {
                let calls = work(log, until: start + time)
                total.withLock { $0 += calls }
            }
        }
        for worker in workers { worker.join() }
        log.close(within: .seconds(60))
        let elapsed = MonotonicTime.now().since(start)
        let calls = total.withLock { $0 }
        let lines = LineCount.takeAway(path)
        guard lines == calls, log.drops.lost == 0 else {
            throw BenchFailure("\(calls) calls, \(lines) lines, \(log.drops.lost) dropped")
        }
        return [Figure("records/s", .perSecond, Double(calls) / elapsed.inSeconds)]
    }

    private func work(_ log: Logger, until end: MonotonicTime) -> Int {
        let (user, path) = ("u_123456", "/products/42")
        var number = 0
        repeat {
            for _ in 0..<LoggerBenchmark.paceEvery {
                call(log, number, user, path)
                number += 1
            }
            while log.queuedRingBytes > LoggerBenchmark.waitingBytes
                || log.queuedBytes > LoggerBenchmark.waitingLinesBytes
            {
                sleep(until: .after(.microseconds(50)))
            }
        } while MonotonicTime.now() < end
        return number
    }

    private func withLogger(
        _ body: (Logger) throws(BenchFailure) -> [Figure]
    ) throws(BenchFailure) -> [Figure] {
        let log = Logger(level: .info, options: LoggerBenchmark.options) { _ in }
        defer { log.close() }
        return try body(log)
    }

    /// Lets the back end empty the ring.
    private func settle(_ log: Logger) throws(BenchFailure) {
        guard log.flush(), log.drops.lost == 0 else {
            throw BenchFailure("\(log.drops.lost) records were dropped")
        }
    }
}
