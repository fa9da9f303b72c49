import Primitives
import TestSupport

/// GET requests at fixed moments, whether or not the ones before have been answered (an open loop).
///
/// A reply's time counts from when its request was due: what a client has to wait for a free
/// connection is part of it. A client that sends only after a reply would leave out just those
/// requests that come while the service is slow.
///
///     let load = SteadyLoad(on: service, perSecond: 100) { "/query?metric=count&where=n:ne:\($0)" }
///     …
///     try load.stop()
///     print(load.times(from: paused, to: resumed).p99)
final class SteadyLoad: Sendable {
    private struct Sample {
        let due: MonotonicTime
        let took: Duration
    }

    private struct Book {
        var samples: [Sample] = []
        var next = 0
        var isStopped = false
        var failures: [String] = []
    }

    private let book = Locked(Book())
    private let threads = Locked<[Thread]>([])
    private let start = MonotonicTime.now()
    private let interval: Duration
    private let target: @Sendable (Int) -> String

    /// - Parameters:
    ///   - clients: connections, and so requests that may be under way at once. With 250 ms, the most
    ///     that a question waits for Redis, 32 of them carry 128 requests a second.
    ///   - target: of the request with this number.
    init(
        on service: RunningService, perSecond: Int, clients: Int = 32,
        _ target: @escaping @Sendable (Int) -> String
    ) {
        interval = .seconds(1) / perSecond
        self.target = target
        threads.withLock { threads in
            threads = (0..<clients).map { number in
                Thread(name: "steady-\(number)") { [self] in run(service) }
            }
        }
    }

    /// Waits for the replies that are still due.
    /// - Throws: if a request got no reply, or one that was no success.
    func stop() throws {
        book.withLock { $0.isStopped = true }
        let running = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        for thread in running { thread.join() }
        let failures = book.withLock { $0.failures }
        if let first = failures.first { throw TestError("\(failures.count) failed: \(first)") }
    }

    /// Of the requests that were due then.
    func times(from first: MonotonicTime, to last: MonotonicTime) -> ReplyTimes {
        ReplyTimes(
            book.withLock { book in
                book.samples.filter { $0.due >= first && $0.due < last }.map(\.took)
            })
    }

    /// Of all requests.
    var times: ReplyTimes { ReplyTimes(book.withLock { $0.samples.map(\.took) }) }

    private func run(_ service: RunningService) {
        do {
            let wire = try service.connect(timeout: .seconds(60))
            while let number = takeTurn() {
                let due = start + interval * number
                sleep(until: Deadline(due))
                let reply = try wire.ask("GET", target(number))
                let took = MonotonicTime.now().since(due)
                book.withLock { book in
                    book.samples.append(Sample(due: due, took: took))
                    if reply.status != 200 { book.failures.append("\(reply.status) \(reply.text)") }
                }
            }
        } catch {
            book.withLock { $0.failures.append("\(error)") }
        }
    }

    private func takeTurn() -> Int? {
        book.withLock { book in
            guard !book.isStopped else { return nil }
            defer { book.next += 1 }
            return book.next
        }
    }
}

/// How long replies took.
struct ReplyTimes: CustomStringConvertible {
    private let sorted: [Duration]

    init(_ times: [Duration]) { sorted = times.sorted() }

    var count: Int { sorted.count }
    var p50: Duration { quantile(50) }
    var p99: Duration { quantile(99) }
    var longest: Duration { sorted.last ?? .zero }

    var description: String {
        "p50 \(ReplyTimes.text(p50)), p99 \(ReplyTimes.text(p99)), "
            + "longest \(ReplyTimes.text(longest)) of \(count)"
    }

    private func quantile(_ percent: Int) -> Duration {
        sorted.isEmpty ? .zero : sorted[(sorted.count - 1) * percent / 100]
    }

    private static func text(_ time: Duration) -> String {
        let tenths = time.wholeNanoseconds / 100_000
        return "\(tenths / 10).\(tenths % 10) ms"
    }
}
