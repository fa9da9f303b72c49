import Primitives
import Telemetry
import TestSupport
import Testing

@Suite struct LogRingTests {
    /// Runs `body` on as many threads at once and waits for them.
    private func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        let threads = (0..<count).map { number in
            Thread(name: "logs-\(number)") { body(number) }
        }
        for thread in threads { thread.join() }
    }

    /// More threads than rings: the rest share one.
    @Test(arguments: [LogLevel.info, .warning])
    func `each record of many threads is written in its thread's order or counted as dropped`(
        _ level: LogLevel
    ) {
        var options = LogOptions()
        options.ringLimit = 4
        options.ringBytes = 64 << 10
        let log = CollectedLog(options: options)
        let (threads, each) = (8, 20_000)
        onThreads(threads) { thread in
            for number in 0..<each {
                log.logger.log(level, "work") {
                    $0.add("thread", thread)
                    $0.add("number", number)
                    $0.add("text", String(repeating: "x", count: number % 100))
                }
            }
        }
        let lines = log.close()
        var last = [Int](repeating: -1, count: threads)
        var (written, told) = (0, 0)
        for line in lines {
            guard let thread = line.number("thread"), let number = line.number("number") else {
                told += line.number("queue_full") ?? 0
                continue
            }
            #expect(number > last[thread])
            #expect(
                line.hasSuffix("\"text\":\"\(String(repeating: "x", count: number % 100))\"}\n"))
            last[thread] = number
            written += 1
        }
        let dropped = Int(log.logger.drops.count(.queueFull))
        print("\(threads * each) records, \(written) written, \(dropped) dropped")
        #expect(written + dropped == threads * each)
        #expect(told == dropped, "the log itself says what it lost")
        #expect(log.logger.drops.lost == UInt64(dropped))
    }

    @Test func `records of a ring that wraps around many times come whole`() {
        var options = LogOptions()
        options.ringBytes = 64 << 10
        let log = CollectedLog(options: options)
        // Some 12 MB in 64 KiB. Flushed often, so that nothing is dropped.
        for number in 0..<20_000 {
            log.logger.info("wraps") {
                $0.add("number", number)
                $0.add("text", String(repeating: "y", count: number % 1200))
            }
            if number % 40 == 39 { log.logger.flush(within: .seconds(60)) }
        }
        let lines = log.close()
        #expect(lines.count == 20_000 && log.logger.drops.lost == 0)
        for (number, line) in lines.enumerated() {
            let text = String(repeating: "y", count: number % 1200)
            guard line.hasSuffix("\"number\":\(number),\"text\":\"\(text)\"}\n") else {
                Issue.record("record \(number) is \(line)")
                break
            }
        }
    }

    @Test func `a record that is too large is dropped, counted, and said to be`() {
        let log = CollectedLog()
        log.logger.info("fits") { $0.add("text", String(repeating: "x", count: 60_000)) }
        log.logger.info("large") { $0.add("text", String(repeating: "x", count: 70_000)) }
        log.logger.info("after")
        let lines = log.close()
        #expect(lines.count == 3 && log.logger.drops.count(.tooLarge) == 1)
        #expect(lines[0].utf8.count > 60_000)
        // What was dropped is said at the next look at the rings, before or after the last record.
        #expect(lines.dropFirst().contains { $0.hasSuffix(#""message":"after"}"# + "\n") })
        let summary = #""message":"log records were dropped","too_large":1}"# + "\n"
        #expect(lines.dropFirst().contains { $0.hasSuffix(summary) })
    }

    @Test func `a value that logs itself disturbs no record`() {
        let log = CollectedLog()
        func inner() -> Int {
            log.logger.info("inner") { $0.add("n", 2) }
            return 1
        }
        log.logger.info("outer") {
            $0.add("n", inner())
            $0.add("m", 3)
        }
        let lines = log.close()
        #expect(lines.count == 2)
        #expect(lines.contains { $0.hasSuffix(#""outer","n":1,"m":3}"# + "\n") })
        #expect(lines.contains { $0.hasSuffix(#""inner","n":2}"# + "\n") })
    }

    @Test func `threads that end leave their records, and their rings to others`() {
        var options = LogOptions()
        options.ringLimit = 2
        let log = CollectedLog(options: options)
        for round in 0..<50 {
            onThreads(2) { thread in
                for _ in 0..<10 { log.logger.info("short life") { $0.add("thread", thread) } }
            }
            if round % 10 == 9 { log.logger.flush() }
        }
        #expect(log.close().count == 1000 && log.logger.drops.lost == 0)
        #expect(log.logger.queuedBytes == 0)
    }

    @Test func `what waits can be asked for while records come and threads end`() {
        var options = LogOptions()
        options.ringLimit = 4
        let log = CollectedLog(options: options)
        let isOver = Locked(false)
        let asking = Thread(name: "asks") {
            while !isOver.withLock({ $0 }) { #expect(log.logger.queuedBytes >= 0) }
        }
        for _ in 0..<200 {
            onThreads(3) { thread in
                for _ in 0..<50 { log.logger.info("short life") { $0.add("thread", thread) } }
            }
        }
        isOver.withLock { $0 = true }
        asking.join()
        #expect(log.close().count + Int(log.logger.drops.lost) >= 30_000)
    }

    @Test func `records of several threads come in the order of their times`() {
        let log = CollectedLog()
        onThreads(4) { _ in
            for _ in 0..<200 { log.logger.info("timed") }
        }
        let times = log.close().compactMap { line in
            (try? JSONValue.parse(line))?["time"]?.text.flatMap { Timestamp.parse($0) }
        }
        #expect(times.count == 800)
        #expect(times == times.sorted())
    }

    @Test func `loggers of the same thread are apart, and one that goes takes nothing along`() {
        let kept = CollectedLog()
        for number in 0..<20 {
            let other = CollectedLog()
            other.logger.info("other") { $0.add("n", number) }
            kept.logger.info("kept") { $0.add("n", number) }
            if number % 2 == 0 { #expect(other.close().count == 1) }
        }
        #expect(kept.close().compactMap { $0.number("n") } == Array(0..<20))
    }
}
