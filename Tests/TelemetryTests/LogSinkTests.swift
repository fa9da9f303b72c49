import Glibc
import Primitives
import Telemetry
import TestSupport
import Testing

@Suite struct LogSinkTests {
    /// The two ends of a pipe: what is read, and what is written to.
    private func pipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        try #require(Glibc.pipe(&ends) == 0)
        return (ends[0], ends[1])
    }

    @Test func `a pipe that nobody reads holds no call up, and what it missed is counted`() throws {
        let ends = try pipe()
        defer { close(ends.write) }
        let other = Locked(0)
        let logger = Logger(
            level: .info,
            outputs: [LogOutput(DescriptorSink(ends.write, name: "stdout"), .json)])
        let text = String(repeating: "x", count: 1000)
        var slowest = Duration.zero
        // 50 MB against 64 KiB of pipe, 4 MiB of queue and a ring of 640 KiB.
        for number in 0..<50_000 {
            let start = MonotonicTime.now()
            logger.info("much") {
                $0.add("number", number)
                $0.add("text", text)
            }
            slowest = max(slowest, MonotonicTime.now().since(start))
            other.withLock { $0 += 1 }
        }
        print("a blocked pipe: the slowest of 50,000 calls took \(slowest)")
        #expect(slowest < .milliseconds(500) * slowness)
        let reader = Thread(name: "reader") {
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            var lines = 0
            while true {
                let count = read(ends.read, &buffer, buffer.count)
                guard count > 0 else { break }
                lines += buffer[..<count].reduce(0) { $0 + ($1 == 10 ? 1 : 0) }
            }
            other.withLock { $0 = lines }
            close(ends.read)
        }
        logger.close(within: .seconds(60))
        // The lane has ended, so this is the last writing end.
        dup2(open("/dev/null", O_WRONLY), ends.write)
        reader.join()
        let written = other.withLock { $0 }
        let lost = Int(logger.drops.lost)
        print("of 50,000 records \(written) lines were read, \(lost) lost")
        #expect(lost > 30_000)
        // Summaries are lines as well: one a second, and one at the end.
        #expect((50_000...50_100).contains(written + lost))
    }

    @Test func `closing gives up a pipe that nobody reads at its deadline`() throws {
        let ends = try pipe()
        let logger = Logger(
            level: .info,
            outputs: [LogOutput(DescriptorSink(ends.write, name: "stdout"), .json)])
        for _ in 0..<2000 {
            logger.warning("much") { $0.add("text", String(repeating: "x", count: 200)) }
        }
        let start = MonotonicTime.now()
        logger.close(within: .milliseconds(300))
        #expect(MonotonicTime.now().since(start) < .seconds(5) * slowness)
        let deadline = Deadline.after(.seconds(10) * slowness)
        while logger.drops.count(.shutdown) == 0, !deadline.hasPassed { usleep(1000) }
        #expect(logger.drops.count(.shutdown) > 0)
        // The reading end stays open: the lane still writes, and closing it would send SIGPIPE.
    }

    /// Fails as often as it was told to, after half of what it was given.
    private final class FailingSink: LogSink {
        let name = "failing"
        let state = Locked((failures: 3, text: ""))

        func write(_ lines: UnsafeRawBufferPointer) throws(LogSinkError) {
            let isFailure = state.withLock { state -> Bool in
                let half = state.failures > 0 ? lines.count / 2 : lines.count
                state.text += String(
                    decoding: UnsafeRawBufferPointer(rebasing: lines[..<half]), as: UTF8.self)
                state.failures -= 1
                return state.failures >= 0
            }
            if isFailure { throw LogSinkError(written: lines.count / 2, "no luck") }
        }
    }

    @Test func `a sink that fails is tried again and gets each byte once; others go on`() {
        let failing = FailingSink()
        let other = Locked(0)
        final class Counting: LogSink {
            let name = "counting"
            let count: Locked<Int>
            init(_ count: Locked<Int>) { self.count = count }
            func write(_ lines: UnsafeRawBufferPointer) {
                count.withLock { $0 += lines.reduce(0) { $0 + ($1 == 10 ? 1 : 0) } }
            }
        }
        let logger = Logger(
            level: .info,
            outputs: [LogOutput(failing, .json), LogOutput(Counting(other), .json)])
        for number in 0..<100 { logger.info("kept") { $0.add("n", number) } }
        logger.close(within: .seconds(30))
        #expect(other.withLock { $0 } == 100)
        let lines = failing.state.withLock { $0.text }.split(separator: "\n")
        #expect(lines.compactMap { String($0).number("n") } == Array(0..<100))
        #expect(logger.drops.lost == 0)
    }
}
