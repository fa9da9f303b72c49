internal import Glibc
import Primitives
import TestSupport

/// Clients that post events, each on a connection and a thread, until they are stopped or nobody
/// answers any more. What was sent and what was acknowledged is kept: by the events' ids, or by the
/// member `mark` of their data where the service is to give the id.
final class EventLoad: Sendable {
    private struct Book {
        var sent: Set<String> = []
        var acknowledged: Set<String> = []
        /// Answers by status.
        var statuses: [Int: Int] = [:]
        /// Requests that got no answer: the connection ended first.
        var unanswered = 0
        /// How long each answer took.
        var durations: [Duration] = []
        var isStopped = false
    }

    private let book = Locked(Book())
    private let threads = Locked<[Thread]>([])
    private let port: UInt16
    private let target: String
    private let subjects: Int
    private let batchLimit: Int
    private let marksEvery: Int

    /// Starts the clients. Odd ones send NDJSON batches, even ones single events.
    /// - Parameters:
    ///   - prefix: makes the ids differ from those of other loads.
    ///   - pause: between two requests of a client.
    ///   - subjects: how many different ones the events have; without any they have none.
    ///   - batchLimit: events of the largest batch.
    ///   - marksEvery: every so many events one has a mark and no id; 0 gives ids to all.
    init(
        on service: RunningService, clients: Int, prefix: String, seed: UInt64,
        target: String = "/events", pause: Duration = .zero, subjects: Int = 0,
        batchLimit: Int = 50, marksEvery: Int = 0
    ) {
        port = service.port
        self.target = target
        self.subjects = subjects
        self.batchLimit = batchLimit
        self.marksEvery = marksEvery
        threads.withLock { threads in
            threads = (0..<clients).map { client in
                Thread(name: "client") { [self] in
                    run("\(prefix)-\(client)", client % 2 == 1, seed &+ UInt64(client), pause)
                }
            }
        }
    }

    var sent: Set<String> { book.withLock { $0.sent } }
    var acknowledged: Set<String> { book.withLock { $0.acknowledged } }
    var acknowledgedCount: Int { book.withLock { $0.acknowledged.count } }
    var statuses: [Int: Int] { book.withLock { $0.statuses } }
    /// The time that 99 of 100 answers stayed within.
    var p99: Duration {
        let sorted = book.withLock { $0.durations }.sorted()
        return sorted.isEmpty ? .zero : sorted[min(sorted.count - 1, sorted.count * 99 / 100)]
    }
    var unanswered: Int { book.withLock { $0.unanswered } }

    /// Lets each client finish its request, and waits for them.
    func stop() {
        book.withLock { $0.isStopped = true }
        join()
    }

    /// Waits until each client has ended by itself, its service being gone.
    func join() {
        for thread in threads.withLock({ threads in
            defer { threads = [] }
            return threads
        }) { thread.join() }
    }

    private func run(_ prefix: String, _ sendsBatches: Bool, _ seed: UInt64, _ pause: Duration) {
        var random = SeededGenerator(seed: seed)
        var next = 0
        guard let connection = try? ClientConnection(port: port, timeout: .seconds(30)) else {
            return
        }
        while !book.withLock({ $0.isStopped }) {
            let count = sendsBatches ? Int.random(in: 1...batchLimit, using: &random) : 1
            let numbers = next..<next + count
            let ids = numbers.map { "\(prefix)-\($0)" }
            let lines = lines(prefix, numbers, &random)
            next += count
            book.withLock { $0.sent.formUnion(ids) }
            let began = MonotonicTime.now()
            guard let status = post(lines, sendsBatches, on: connection) else {
                return book.withLock { $0.unanswered += 1 }
            }
            book.withLock { book in
                book.statuses[status, default: 0] += 1
                book.durations.append(MonotonicTime.now().since(began))
                if status == 202 || status == 200 { book.acknowledged.formUnion(ids) }
            }
            if pause > .zero { usleep(UInt32(pause.wholeMilliseconds * 1000)) }
        }
    }

    /// The events of one request.
    private func lines(
        _ prefix: String, _ numbers: Range<Int>, _ random: inout SeededGenerator
    ) -> [String] {
        let filler = String(repeating: "x", count: Int.random(in: 0...400, using: &random))
        let subject =
            subjects == 0 ? "" : #","subject":"s\#(Int.random(in: 0..<subjects, using: &random))""#
        let rest = #""type":"load","source":"/load"\#(subject)"#
        return numbers.map { number in
            let name = "\(prefix)-\(number)"
            return marksEvery > 0 && number % marksEvery == 0
                ? #"{\#(rest),"data":{"mark":"\#(name)","filler":"\#(filler)"}}"#
                : #"{"id":"\#(name)",\#(rest),"n":1,"filler":"\#(filler)"}"#
        }
    }

    /// - Returns: the status; nil when no whole answer came.
    private func post(
        _ lines: [String], _ isBatch: Bool, on connection: ClientConnection
    ) -> Int? {
        let type = isBatch ? "application/x-ndjson" : "application/json"
        do {
            try connection.send(
                "POST", target, headers: ["Content-Type": type],
                body: Array(lines.joined(separator: "\n").utf8))
            return try connection.receive().status
        } catch {
            return nil
        }
    }
}
