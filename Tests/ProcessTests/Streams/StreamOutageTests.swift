import Primitives
import TestSupport
import Testing

/// Redis is away while the service comes and goes, or for longer than the journal can hold.
@Suite(.long) struct StreamOutageTests {
    /// What a test found.
    private struct Outcome: Sendable {
        var accounting: Accounting?
        var statuses: Set<Int> = []
        var exits: [ProcessEnding] = []
        /// Acknowledged, and not to be found in the streams.
        var unsent: Set<String> = []
        var gaps = 0
        var readiness: [String] = []
        /// Redis was seen to take less than came in.
        var wasBehind = false

        /// Waits until all that was taken is in the streams, ends the service, and accounts.
        mutating func settle(
            _ service: RunningService, _ redis: RedisServer, acknowledged: Set<String>,
            sent: Set<String>
        ) throws {
            try service.waitUntilStreamsAreDrained()
            accounting = Accounting(
                acknowledged: acknowledged, sent: sent, stored: try service.storedMarks())
            unsent = acknowledged.subtracting(try redis.readAll(group: "stranger"))
            exits.append(try service.terminate())
        }
    }

    private func check(_ outcome: Outcome, _ what: String) {
        print("\(what): \(outcome.accounting.map { "\($0)" } ?? ""), gaps \(outcome.gaps)")
        #expect(outcome.accounting?.isRight == true, "\(outcome)")
        #expect(outcome.statuses == [202])
        #expect(outcome.exits.allSatisfy { $0 == .exited(0) })
        #expect(outcome.unsent.isEmpty, "\(outcome.unsent.prefix(5))")
    }

    @Test func `without its Redis the service starts, takes events and ends in time`() throws {
        let outcome = try StreamOutageTests.comeAndGo()
        check(outcome, "Redis away at the start")
        #expect(outcome.readiness == ["degraded", "degraded", "ready"])
    }

    private static func comeAndGo() throws -> Outcome {
        let redis = try RedisServer(["--appendonly", "yes", "--appendfsync", "always"])
        try redis.addGroup("stranger")
        redis.kill()
        var outcome = Outcome()
        var (sent, acknowledged): (Set<String>, Set<String>) = ([], [])
        var service = try RunningService.start(redis: redis.url)
        for round in 0..<3 {
            if round == 2 { try redis.start() }
            try service.waitUntilStreamsAre(round == 2 ? "ok" : "open")
            let load = EventLoad(
                on: service, clients: 2, prefix: "r\(round)", seed: UInt64(round),
                pause: .milliseconds(5), subjects: 9, marksEvery: 3)
            try service.waitForMore(200, of: load)
            load.stop()
            if round == 2 {
                try service.wait(until: "it is ready") {
                    try service.get("/readyz").json()["status"]?.string == "ready"
                }
            }
            outcome.readiness.append(
                try service.get("/readyz").json()["status"]?.string ?? "none")
            sent.formUnion(load.sent)
            acknowledged.formUnion(load.acknowledged)
            outcome.statuses.formUnion(load.statuses.keys)
            guard round < 2 else { break }
            outcome.exits.append(try service.terminate(within: .seconds(10)))
            service = try service.startAgain()
        }
        try outcome.settle(service, redis, acknowledged: acknowledged, sent: sent)
        return outcome
    }

    @Test func `killed again and again with a Redis, it keeps everything once`() throws {
        let outcome = try StreamOutageTests.killAgainAndAgain()
        check(outcome, "killed again and again")
    }

    private static func killAgainAndAgain() throws -> Outcome {
        let redis = try RedisServer()
        try redis.addGroup("stranger")
        var service = try RunningService.start(redis: redis.url)
        var outcome = Outcome()
        var (sent, acknowledged): (Set<String>, Set<String>) = ([], [])
        for round in 0..<FaultForm.pick(short: 4, long: 40) {
            let load = EventLoad(
                on: service, clients: 4, prefix: "r\(round)", seed: UInt64(round), subjects: 9,
                marksEvery: 3)
            try service.waitForMore(200, of: load)
            service.kill()
            load.join()
            sent.formUnion(load.sent)
            acknowledged.formUnion(load.acknowledged)
            outcome.statuses.formUnion(load.statuses.keys)
            service = try service.startAgain()
        }
        try outcome.settle(service, redis, acknowledged: acknowledged, sent: sent)
        return outcome
    }

    @Test func `an outage longer than the journal holds is made up for from the store`()
        throws
    {
        let outcome = try StreamOutageTests.outlastTheJournal()
        check(outcome, "an outage longer than the journal")
        #expect(outcome.gaps >= 1)
    }

    private static func outlastTheJournal() throws -> Outcome {
        let redis = try RedisServer()
        try redis.addGroup("stranger")
        let service = try RunningService.start(redis: redis.url, ["--journal-max-bytes", "64MiB"])
        let load = EventLoad(
            on: service, clients: 2, prefix: "g", seed: 7, pause: .milliseconds(20), subjects: 20,
            marksEvery: 3)
        try service.waitForMore(200, of: load)
        redis.pause()
        var outcome = Outcome()
        // More than the whole journal can hold. How fast the store takes it is the machine's matter;
        // that it does while Redis hangs is what makes room again.
        let marks = try postBig(
            FaultForm.pick(short: 350, long: 1500), to: service, every: .milliseconds(5),
            whileJournalIsBelow: 48 << 20, &outcome)
        outcome.gaps = try service.status("stream", "forwarder", "gaps")?.integer ?? 0
        redis.resume()
        load.stop()
        outcome.statuses.formUnion(load.statuses.keys)
        try outcome.settle(
            service, redis, acknowledged: load.acknowledged.union(marks),
            sent: load.sent.union(marks))
        return outcome
    }

    /// Posts events of 200 kB, one a request and one after the other, and notes the statuses.
    /// - Parameter limit: waits before each until the journal holds fewer bytes; nil never waits.
    /// - Returns: their marks.
    private static func postBig(
        _ count: Int, to service: RunningService, every pause: Duration,
        whileJournalIsBelow limit: Int? = nil, _ outcome: inout Outcome
    ) throws -> Set<String> {
        var marks: Set<String> = []
        let connection = try service.connect()
        let filler = String(repeating: "x", count: 200_000)
        for number in 0..<count {
            sleep(until: .after(pause))
            if let limit {
                try service.wait(until: "the journal has room") {
                    try service.status("journal", "retained_bytes")?.integer ?? .max < limit
                }
            }
            let mark = "big-\(number)"
            try connection.send(
                "POST", "/events", ["Content-Type: application/json"],
                body: #"{"type":"big","data":{"mark":"\#(mark)","filler":"\#(filler)"}}"#)
            outcome.statuses.insert(try connection.receive().status)
            marks.insert(mark)
            guard number.isMultiple(of: 50), !outcome.wasBehind else { continue }
            outcome.wasBehind = try service.status("stream", "mode")?.string == "degraded"
        }
        return marks
    }

    @Test func `a Redis that takes less than comes in does not fill the journal`() throws {
        let outcome = try StreamOutageTests.outrunRedis()
        check(outcome, "a slow Redis")
        #expect(outcome.wasBehind)
    }

    private static func outrunRedis() throws -> Outcome {
        let redis = try RedisServer()
        let proxy = try FaultProxy(to: redis.port)
        defer { proxy.stop() }
        try redis.addGroup("stranger")
        let service = try RunningService.start(
            redis: "redis://127.0.0.1:\(proxy.port)", ["--journal-max-bytes", "128MiB"])
        try service.waitUntilStreamsAre("ok")
        // Below what a breaker calls slow.
        proxy.set(.delay(.milliseconds(80)))
        var outcome = Outcome()
        let marks = try postBig(
            FaultForm.pick(short: 600, long: 2000), to: service, every: .milliseconds(5), &outcome)
        proxy.set(.none)
        try outcome.settle(service, redis, acknowledged: marks, sent: marks)
        return outcome
    }
}
