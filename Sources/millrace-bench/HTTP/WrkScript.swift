/// The Lua script that wrk is given: what to send, and a last line of whole numbers, because wrk's
/// own report is rounded for people.
enum WrkScript {
    /// The numbers of that line.
    struct Totals: Equatable {
        var microseconds: Int
        var requests: Int
        /// Status 400 and above.
        var badReplies: Int
        /// Errors in connecting, reading and writing.
        var brokenConnections: Int
        var lateReplies: Int
        var p50Microseconds: Int
        var p99Microseconds: Int
    }

    private static let mark = "millrace-totals"

    static func text(for body: Wrk.Body, pause: Duration = .zero) -> String {
        head(body) + delay(pause) + """
            function done(summary, latency, requests)
                local errors = summary.errors
                io.write(string.format("\\n\(mark) %d %d %d %d %d %d %d\\n",
                    summary.duration, summary.requests, errors.status,
                    errors.connect + errors.read + errors.write, errors.timeout,
                    latency:percentile(50), latency:percentile(99)))
            end

            """
    }

    private static func delay(_ pause: Duration) -> String {
        guard pause > .zero else { return "" }
        return "function delay() return \(pause.wholeNanoseconds / 1_000_000) end\n\n"
    }

    /// Nil if the line is not there or not whole.
    static func totals(in output: String) -> Totals? {
        guard let line = output.split(separator: "\n").last(where: { $0.hasPrefix(mark) }) else {
            return nil
        }
        let numbers = line.split(separator: " ").dropFirst().compactMap { Int($0) }
        guard numbers.count == 7 else { return nil }
        return Totals(
            microseconds: numbers[0], requests: numbers[1], badReplies: numbers[2],
            brokenConnections: numbers[3], lateReplies: numbers[4], p50Microseconds: numbers[5],
            p99Microseconds: numbers[6])
    }

    private static func head(_ body: Wrk.Body) -> String {
        switch body {
        case .none: ""
        case .targets(let targets): turns(targets)
        case .json(let text): post(text, "application/json")
        case .ndjson(let text): post(text, "application/x-ndjson")
        }
    }

    /// Each request asks for the next target.
    private static func turns(_ targets: [String]) -> String {
        """
        local targets = {\(targets.map { "[==[\($0)]==]" }.joined(separator: ", "))}
        local turn = 0
        function request()
            turn = turn % #targets + 1
            return wrk.format("GET", targets[turn])
        end

        """
    }

    /// Lua's long brackets take the text as it is, but for a newline right behind them.
    private static func post(_ text: String, _ type: String) -> String {
        """
        wrk.method = "POST"
        wrk.headers["Content-Type"] = "\(type)"
        wrk.body = [==[\(text)]==]

        """
    }
}
