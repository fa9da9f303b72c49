import Primitives
import TestSupport
import Testing

/// A node or a worker dies with entries pending, and another takes them over.
@Suite(.long) struct StreamTakeoverTests {
    /// What a test found.
    private struct Outcome: Sendable {
        var pending = 0
        var claimed = 0
        var first: Set<String> = []
        var second: Set<String> = []
        var third: Set<String> = []
        var ofVictim: [String] = []
        var ofSuccessor: [String] = []
        var statuses: Set<Int> = []
        var exit: ProcessEnding?
    }

    @Test(arguments: ["serve", "worker"])
    func `what was pending is stored by another of the group, once`(command: String) throws {
        let outcome = try StreamTakeoverTests.go(command)
        print(
            "\(command) killed with \(outcome.pending) entries pending: it had "
                + "\(outcome.ofVictim.count), its successor took over \(outcome.claimed) and has "
                + "\(outcome.ofSuccessor.count)")
        #expect(outcome.pending > 0)
        #expect(outcome.claimed == outcome.pending)
        #expect(outcome.ofVictim.count == outcome.first.count)
        #expect(Set(outcome.ofVictim) == outcome.first)
        #expect(outcome.ofSuccessor.count == outcome.second.count + outcome.third.count)
        #expect(Set(outcome.ofSuccessor) == outcome.second.union(outcome.third))
        #expect(outcome.statuses == [202])
        #expect(outcome.exit == .exited(0))
    }

    private static func go(_ command: String) throws -> Outcome {
        let redis = try RedisServer()
        let front = try RunningService.start(redis: redis.url, node: "front")
        let arguments = ["--redis-url", redis.url, "--group", "shared"]
        let victim = try RunningService.start(arguments + ["--node", "victim"], command: command)
        try front.waitUntilStreamsAre("ok")
        try victim.waitUntilStreamsAre("ok")
        var outcome = Outcome()
        outcome.first = try post("first", to: front, &outcome)
        try front.wait(until: "the first are stored and acknowledged", every: .milliseconds(20)) {
            try victim.status("store", "rows")?.integer == outcome.first.count
                && pending(redis) == 0
        }
        let blocker = try StoreBlocker(victim)
        outcome.second = try post("second", to: front, &outcome)
        // It reads until its queue is full; the rest stays unread.
        try front.wait(until: "some of the second are pending", every: .milliseconds(20)) {
            try pending(redis) > 0
        }
        victim.kill()
        // A read that Redis still answers would hand out more after the count.
        try front.wait(until: "Redis knows that the victim is gone", every: .milliseconds(20)) {
            try !redis.command("CLIENT", "LIST").contains { $0.contains("victim") }
        }
        outcome.pending = try pending(redis)
        blocker.release()
        // Nobody reads for the group now.
        outcome.third = try post("third", to: front, &outcome)
        // Longer than an entry is in work, or it takes over its own.
        let claimAfter = slowness > 1 ? "20s" : "300ms"
        let successor = try RunningService.start(
            arguments + ["--node", "successor", "--stream-claim-after", claimAfter])
        try successor.wait(until: "all is taken over", every: .milliseconds(20)) {
            try successor.storedCount() >= outcome.second.count + outcome.third.count
                && pending(redis) == 0
        }
        outcome.claimed = try successor.status("stream", "consumer", "claimed")?.integer ?? -1
        outcome.ofSuccessor = try successor.storedMarks()
        outcome.exit = try successor.terminate()
        let remains = try RunningService.start(dataDirectory: victim.dataDirectory)
        outcome.ofVictim = try remains.storedMarks()
        return outcome
    }

    /// - Returns: what was posted and acknowledged.
    private static func post(
        _ prefix: String, to front: RunningService, _ outcome: inout Outcome
    ) throws -> Set<String> {
        let load = EventLoad(
            on: front, clients: 2, prefix: prefix, seed: 3, pause: .milliseconds(2),
            subjects: 20, marksEvery: 3)
        try front.waitForMore(300, of: load)
        load.stop()
        outcome.statuses.formUnion(load.statuses.keys)
        return load.acknowledged
    }

    /// Entries that the group was given and has not acknowledged.
    private static func pending(_ redis: RedisServer) throws -> Int {
        try RedisServer.keys().reduce(0) {
            $0 + (Int(try redis.command("XPENDING", $1, "shared").first ?? "") ?? 0)
        }
    }
}
