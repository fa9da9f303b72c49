import Primitives
import ProcessSupport

/// The load generator `wrk`, one thread of it.
struct Wrk {
    enum Body {
        /// A GET.
        case none
        /// GETs of these, one after the other.
        case targets([String])
        case json(String)
        case ndjson(String)
    }

    let scratch: ScratchDirectory
    let port: UInt16
    let target: String
    let body: Body
    let connections: Int
    /// How long each connection waits after a reply: whole milliseconds.
    var pause = Duration.zero

    /// What wrk counted in one go.
    struct Outcome {
        /// Whole replies; every one of them was a success.
        let requests: Int
        let seconds: Double
        let p50Nanoseconds: Double
        let p99Nanoseconds: Double
        /// Replies that took longer than wrk's two seconds; they are among `requests`.
        let lateReplies: Int

        /// - Parameter unit: what a request carries `amount` of.
        func figures(_ unit: String, each amount: Int = 1) -> [Figure] {
            let rate = Double(requests * amount) / max(seconds, 1e-9)
            return [
                Figure("\(unit)/s", .perSecond, rate), Figure("p50", .nanoseconds, p50Nanoseconds),
                Figure("p99", .nanoseconds, p99Nanoseconds),
            ] + (lateReplies > 0 ? [Figure("late replies", .count, Double(lateReplies))] : [])
        }
    }

    /// - Throws: if a single reply was no success or a connection broke.
    func run(for time: Duration) throws(BenchFailure) -> Outcome {
        let output = scratch.file("wrk.log")
        let process = try start(for: time, output)
        guard let ending = process.ending(within: time + .seconds(60)) else {
            throw BenchFailure("wrk does not end")
        }
        let text = FileSystem.text(output)
        guard ending == .exited(0), let totals = WrkScript.totals(in: text) else {
            throw BenchFailure("wrk ended with \(ending): \(text.suffix(500))")
        }
        return try outcome(totals)
    }

    private func start(
        for time: Duration, _ output: String
    ) throws(BenchFailure) -> ChildProcess {
        let script = scratch.file("wrk.lua")
        let text = WrkScript.text(for: body, pause: pause)
        try attempt("wrk's script") { try FileSystem.write(text.utf8, to: script) }
        // wrk knows whole seconds only.
        let seconds = max(1, Int(time.inSeconds.rounded()))
        do throws(BenchFailure) {
            return try ChildProcess(
                measured: [
                    "wrk", "-t1", "-c\(connections)", "-d\(seconds)s", "-s", script,
                    "http://127.0.0.1:\(port)\(target)",
                ], output: output)
        } catch { throw BenchFailure("\(error); make bench installs it") }
    }

    private func outcome(_ totals: WrkScript.Totals) throws(BenchFailure) -> Outcome {
        guard totals.requests > 0 else { throw BenchFailure("not one reply to \(target)") }
        guard totals.badReplies == 0, totals.brokenConnections == 0 else {
            throw BenchFailure(
                "\(totals.badReplies) of \(totals.requests) replies to \(target) were no 2xx, "
                    + "\(totals.brokenConnections) connections broke")
        }
        return Outcome(
            requests: totals.requests, seconds: Double(totals.microseconds) / 1e6,
            p50Nanoseconds: Double(totals.p50Microseconds) * 1000,
            p99Nanoseconds: Double(totals.p99Microseconds) * 1000, lateReplies: totals.lateReplies)
    }
}
