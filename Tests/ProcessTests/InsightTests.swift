import Primitives
import TestSupport
import Testing

/// Callers that ask one at a time, through the front door.
@Suite(.processes) struct InsightTests {
    private static let count = 60_000

    private func start(_ arguments: [String] = []) throws -> RunningService {
        let service = try RunningService.start(["--query-timeout", "60s"] + arguments)
        try service.storeNumbers(InsightTests.count, data: #","k":"\#("v")""#)
        return service
    }

    private func trace(_ number: Int) -> [String: String] {
        let digits = String(number)
        let id = String(repeating: "0", count: 31 - digits.count) + digits + "a"
        return ["traceparent": "00-\(id)-00000000000000b1-01"]
    }

    private func insights(_ service: RunningService, _ more: String = "") throws -> [JSONTree] {
        try service.get("/query/insights\(more)").json()["insights"]?.elements ?? []
    }

    @Test func `subjects asked one at a time are reported with what replaces and silences it`()
        throws
    {
        let service = try start()
        _ = try service.get("/query?metric=uniq:subject", headers: trace(1))
        var advised: [String] = []
        for subject in 0..<50 {
            let reply = try service.get(
                "/query?metric=count,sum:n&where=subject:eq:s\(subject)&where=k:eq:v",
                headers: trace(1))
            #expect(reply.status == 200)
            if let advice = reply.header("Millrace-Advice") { advised.append(advice) }
        }
        let found = try insights(service)
        try #require(found.count == 1, "\(found)")
        let insight = found[0]
        #expect(insight["kind"]?.string == "n_plus_one")
        #expect(insight["count"]?.integer == 50 && insight["occurrences"]?.integer == 1)
        #expect(insight["parameter"]?.string == "where subject:eq")
        #expect(insight["caller"]?.string == "anonymous")
        #expect(insight["trace_ids"]?[0]?.string == "0000000000000000000000000000001a")
        #expect(insight["preceded_by"]?.string == "/query?metric=uniq:subject")
        #expect(insight["samples"]?[4]?.string == "s4")
        #expect(insight["total_ms"]?.number ?? 0 >= 50)
        // One response says it, and it tells no value.
        #expect(advised.count == 1, "\(advised)")
        #expect(advised.first?.hasPrefix("n_plus_one; fingerprint=") == true)
        #expect(advised.first?.contains("ask=\"where=subject:in:A,B,C&group_by=subject\"") == true)
        try service.wait(until: "it is in the log") {
            service.records.contains {
                $0["message"]?.string == "questions that one question could replace"
                    && $0["kind"]?.string == "n_plus_one"
            }
        }
        #expect(
            try service.get("/metrics").text
                .contains("millrace_query_insights_total{kind=\"n_plus_one\"} 1\n"))

        let replacement = try #require(insight["replacement"]?.string)
        #expect(replacement.contains("group_by=subject&where=subject:in:s0,s1,"))
        let answer = try service.get(replacement, headers: trace(2)).json()
        #expect(answer["row_count"]?.integer == 50, "\(replacement)")
        #expect(answer["rows"]?[0]?[1]?.integer == InsightTests.count / 50)
        #expect(try insights(service).first?["count"]?.integer == 50)
        #expect(try insights(service).count == 1)
    }

    @Test func `a dashboard of six charts, asked again and again, is not reported`() throws {
        let service = try start()
        let charts = [
            "metric=count", "metric=avg:n", "metric=count&group_by=subject",
            "metric=count&interval=1h", "metric=p95:n", "metric=uniq:subject&interval=1d",
        ]
        for round in 1...3 {
            for chart in charts {
                let reply = try service.get("/query?\(chart)&cache=bypass", headers: trace(round))
                #expect(reply.status == 200 && reply.header("Millrace-Advice") == nil, "\(chart)")
            }
        }
        // As a page that shows moving time does, without a trace.
        for minute in 0..<8 {
            let reply = try service.get(
                "/query?metric=sum:n&from=2026-01-01T00:0\(minute):00Z&where=k:eq:\(minute % 2)")
            #expect(reply.header("Millrace-Advice") == nil)
        }
        #expect(try insights(service).isEmpty)
    }

    @Test func `the same question again and again is duplicates, and hits are only counted`() throws
    {
        let service = try start()
        for _ in 0..<40 {
            _ = try service.get("/query?metric=p95:n&cache=bypass", headers: trace(1))
        }
        let found = try insights(service)
        #expect(found.count == 1 && found[0]["kind"]?.string == "duplicates", "\(found)")
        #expect(found.first?["replacement"] == .null)
        for _ in 0..<40 { _ = try service.get("/query?metric=p99:n", headers: trace(2)) }
        #expect(try insights(service).count == 1)
        #expect(try service.get("/query/insights").json()["hits"]?.integer ?? 0 >= 38)
    }

    @Test func `questions that overlap are a fan-out`() throws {
        let service = try start()
        // All are asked before the first is read, so that they overlap on any machine.
        let wires = try (0..<24).map { _ in try service.connect() }
        let headers = trace(1).map { "\($0.key): \($0.value)" }
        for (number, wire) in wires.enumerated() {
            try wire.send("GET", "/query?metric=p95:n&where=subject:ne:s\(number)", headers)
        }
        for wire in wires { #expect(try wire.receive().status == 200) }
        let found = try insights(service)
        #expect(found.count == 1 && found[0]["kind"]?.string == "fan_out", "\(found)")
        #expect(try insights(service, "?kind=fan_out").count == 1)
        #expect(try insights(service, "?kind=n_plus_one").isEmpty)
        #expect(try service.get("/query/insights?kind=other").status == 400)
    }

    @Test func `a build asks for patterns and fails on them, unless they are left out`() throws {
        let service = try start()
        func ask(_ service: RunningService) throws {
            for subject in 0..<20 {
                _ = try service.get(
                    "/query?metric=p95:n&where=subject:eq:s\(subject)", headers: trace(1))
            }
        }
        func run(_ service: RunningService, _ more: [String] = []) throws -> (
            ProcessEnding?, String
        ) {
            let output = service.directory.file("insights.txt")
            let run = try ChildProcess(
                [
                    try MillraceBinary.path(), "insights", "--url",
                    "http://127.0.0.1:\(service.port)",
                ] + more, output: output, errors: output)
            return (run.exit(within: .seconds(60)), FileSystem.text(output))
        }
        #expect(try run(service, ["--fail-on", "n_plus_one"]).0 == .exited(0))
        try ask(service)
        let failed = try run(service, ["--fail-on", "duplicates,n_plus_one"])
        #expect(failed.0 == .exited(1))
        #expect(failed.1.contains("ask once: /query?metric=p95:n&group_by=subject"), "\(failed.1)")
        #expect(try run(service, ["--fail-on", "fan_out"]).0 == .exited(0))
        #expect(try run(service).0 == .exited(0))
        let fingerprint = try #require(insights(service)[0]["fingerprint"]?.string)
        #expect(try service.terminate() == .exited(0))
        let again = try service.startAgain([
            "--query-timeout", "60s", "--insights-ignore", "key:ci,\(fingerprint)",
        ])
        try ask(again)
        #expect(try run(again, ["--fail-on", "n_plus_one"]).0 == .exited(0))
        #expect(try insights(again).isEmpty)
    }

    @Test func `a key sees its own patterns, and an operator all`() throws {
        let keyed = try KeyedService([PlantedKey.query, PlantedKey.bound, PlantedKey.everything])
        keyed.service.headers.withLock { $0 = PlantedKey.everything.header }
        try keyed.service.storeNumbers(InsightTests.count)
        for subject in 0..<20 {
            _ = try keyed.get("/query?metric=p95:n&where=subject:eq:s\(subject)", .query)
        }
        func found(_ key: PlantedKey) throws -> [String] {
            try keyed.get("/query/insights", key).json()["insights"]?.elements
                .compactMap { $0["caller"]?.string } ?? []
        }
        #expect(try found(.query) == ["query"])
        #expect(try found(.bound).isEmpty)
        #expect(try found(.everything) == ["query"])
    }
}
