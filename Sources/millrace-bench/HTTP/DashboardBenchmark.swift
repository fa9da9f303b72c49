import Primitives
import ProcessSupport

/// Twenty questions about web requests that fifty clients ask again and again while events arrive: how
/// many are answered from memory, and how much smaller their answers are compressed.
struct DashboardBenchmark: Benchmark {
    static let name = "dashboard"
    static let summary = "20 questions, 50 clients, events arriving: hit rate, compression"

    private static let connections = 50
    /// Of a client after a reply.
    private static let pause = Duration.milliseconds(100)

    private let scratch: ScratchDirectory
    private let server: ServerProcess

    init(_ bench: Bench) throws(BenchFailure) {
        scratch = bench.scratch
        server = try ServerProcess(
            bench, dataDirectory: try bench.scratch.freshFolder("dashboard"))
        let lines = bench.eventsPath.map(FileSystem.text) ?? WebRequests.lines(0..<10_000)
        guard !lines.isEmpty else { throw BenchFailure("no events in the file") }
        try post(lines)
    }

    private func post(_ lines: String) throws(BenchFailure) {
        let reply = try HTTPGet(
            port: server.port, target: "/events?ack=stored&timeout_ms=60000", lines: lines)
        guard reply.status == 200 else { throw BenchFailure("not stored: \(reply.body.text)") }
    }

    private static let questions: [String] = {
        let shapes = [
            // Since 2015 that is fewer buckets than a question may have; hours would be more.
            "metric=count&interval=6h", "metric=count,sum:bytes&group_by=status",
            "metric=count,avg:bytes&group_by=path&order=-count&limit=500",
            "metric=uniq:subject&interval=6h&group_by=status",
            "metric=count,p95:bytes&group_by=agent&order=-count&limit=200",
        ]
        let ranges = ["from=2015-05-17", "from=2015-05-19", "from=-1h", "from=-24h"]
        return shapes.flatMap { shape in
            ranges.map { "/query?event=http.request&\(shape)&\($0)" }
        }
    }()

    var sides: [Side] {
        [
            Side(name: "polled") { (time) throws(BenchFailure) in
                let before = try CacheCounts(server)
                let arrivals = Arrivals(port: server.port)
                let wrk = Wrk(
                    scratch: scratch, port: server.port, target: "/query",
                    body: .targets(DashboardBenchmark.questions),
                    connections: DashboardBenchmark.connections, pause: DashboardBenchmark.pause)
                let outcome: Wrk.Outcome
                do throws(BenchFailure) {
                    outcome = try wrk.run(for: time)
                } catch {
                    _ = try? arrivals.stop()
                    throw error
                }
                let arrived = Double(try arrivals.stop()) / outcome.seconds
                let counts = try CacheCounts(server).since(before)
                return outcome.figures("queries") + counts.figures
                    + [Figure("events/s arriving", .perSecond, arrived)]
            }
        ]
    }

    func finish() throws(BenchFailure) -> [SideFigures] {
        var plain = 0
        var packed = 0
        for question in DashboardBenchmark.questions {
            plain += try HTTPGet(port: server.port, target: question).body.count
            packed += try HTTPGet(
                port: server.port, target: question, field: "Accept-Encoding: gzip"
            ).body.count
        }
        try server.stop()
        return [
            SideFigures(
                side: "answers",
                figures: [
                    Figure("saved by compression", .ratio, 1 - Double(packed) / Double(plain)),
                    Figure("bytes in all", .bytes, Double(plain)),
                ])
        ]
    }
}

/// Ten events every fifty milliseconds, until they are stopped.
private final class Arrivals: Sendable {
    private struct State {
        var sent = 0
        var failure: BenchFailure?
        var isOver = false
    }

    private let state = Locked(State())
    private let thread = ThreadSlot()

    private static let count = 10
    private static let interval = Duration.milliseconds(50)

    init(port: UInt16) {
        thread.start(name: "arrivals") { [self] in
            while let first = next() {
                do throws(BenchFailure) {
                    let reply = try HTTPGet(
                        port: port, target: "/events",
                        lines: WebRequests.lines(first..<first + Arrivals.count))
                    guard reply.status == 202 else {
                        throw BenchFailure("not taken: \(reply.body.text)")
                    }
                } catch {
                    return state.withLock { $0.failure = error }
                }
                sleep(until: .after(Arrivals.interval))
            }
        }
    }

    /// - Returns: how many arrived.
    /// - Throws: if one of them was refused.
    func stop() throws(BenchFailure) -> Int {
        state.withLock { $0.isOver = true }
        thread.join()
        let (sent, failure) = state.withLock { ($0.sent, $0.failure) }
        if let failure { throw failure }
        return sent
    }

    private func next() -> Int? {
        state.withLock { state in
            guard !state.isOver else { return nil }
            defer { state.sent += Arrivals.count }
            return state.sent
        }
    }
}

/// Events as a web server's log has them, without times of their own.
private enum WebRequests {
    static func lines(_ range: Range<Int>) -> String {
        var text = ByteBuffer(capacity: range.count * 200)
        for index in range {
            text.append(#"{"type":"http.request","source":"/www","subject":"10.0."#)
            text.append(decimal: index % 256)
            text.append(".")
            text.append(decimal: index * 31 % 256)
            text.append(#"","data":{"method":"GET","path":"/articles/"#)
            text.append(decimal: index * index % 397)
            text.append(#"","status":"#)
            text.append(decimal: index % 11 == 0 ? 404 : 200)
            text.append(#","bytes":"#)
            text.append(decimal: 200 + index * 7919 % 60_000)
            text.append(#","agent":"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/"#)
            text.append(decimal: 100 + index % 40)
            text.append("\"}}\n")
        }
        return text.text
    }
}
