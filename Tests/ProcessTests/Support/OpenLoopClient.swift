internal import Glibc
import Primitives
import TestSupport

/// A client that asks at fixed moments, whether or not earlier answers are there: what it measures
/// counts from the moment at which a question was due, so one that is held up shows in those after
/// it too.
///
///     let others = OpenLoopClient(service, "/query?metric=count", every: .milliseconds(10))
///     …
///     print(others.stop().text)
final class OpenLoopClient: Sendable {
    struct Latencies {
        /// Ascending.
        let sorted: [Duration]
        let failures: Int

        func percentile(_ percent: Int) -> Duration {
            sorted.isEmpty ? .zero : sorted[min(sorted.count - 1, sorted.count * percent / 100)]
        }

        /// Microseconds.
        var text: String {
            let figures = [50, 99, 100].map { percentile($0).wholeNanoseconds / 1000 }
            return "\(sorted.count) questions, p50 \(figures[0]) µs, p99 \(figures[1]) µs, "
                + "slowest \(figures[2]) µs, \(failures) failed"
        }
    }

    /// Connections, which take turns: so many questions may be under way.
    private static let lanes = 4

    private let isOver = Locked(false)
    private let taken = Locked<[Duration]>([])
    private let failures = Locked(0)
    private let threads = Locked<[Thread]>([])

    init(_ service: RunningService, _ target: String, every interval: Duration) {
        let start = MonotonicTime.now()
        let started = (0..<Self.lanes).map { lane in
            Thread(name: "others-\(lane)") { [self] in
                ask(service, target, from: start + interval * lane, every: interval * Self.lanes)
            }
        }
        threads.withLock { $0 = started }
    }

    private func ask(
        _ service: RunningService, _ target: String, from start: MonotonicTime,
        every interval: Duration
    ) {
        let wire = try? service.connect()
        var due = start
        while !isOver.withLock({ $0 }) {
            sleep(until: Deadline(due))
            let status = try? wire?.ask("GET", target).status
            taken.withLock { $0.append(MonotonicTime.now().since(due)) }
            if status != 200 { failures.withLock { $0 += 1 } }
            due = due + interval
        }
    }

    /// Ends it; what was measured since the start.
    func stop() -> Latencies {
        isOver.withLock { $0 = true }
        for thread in threads.withLock({ $0 }) { thread.join() }
        return Latencies(
            sorted: taken.withLock { $0.sorted() }, failures: failures.withLock { $0 })
    }
}
