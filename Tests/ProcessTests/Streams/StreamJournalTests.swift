internal import Glibc
import Primitives
import TestSupport
import Testing

/// A journal that is not what it was: what of it is only in the streams comes back from there.
@Suite(.processes) struct StreamJournalTests {
    enum Damage: String, CaseIterable, Sendable {
        case damaged, lost, older
        /// While it runs: nothing is started again.
        case damagedMeanwhile
    }

    /// Two nodes and a worker, each with all events in a store of its own.
    private struct Cluster {
        let redis: RedisServer
        var nodes: [RunningService]
        var marks: Set<String> = []

        init() throws {
            let redis = try RedisServer()
            self.redis = redis
            nodes = try [("n1", "serve"), ("n2", "serve"), ("w", "worker")].map { name, command in
                try RunningService.start(
                    ["--redis-url", redis.url, "--node", name], command: command)
            }
            for node in nodes { try node.waitUntilStreamsAre("ok") }
        }

        var journal: String { nodes[0].dataDirectory + "/journal" }

        /// Posts to a node, every third event without an id, until Redis has them.
        mutating func post(_ prefix: String, _ count: Int, to index: Int = 0) throws {
            for start in stride(from: 0, to: count, by: 10) {
                let lines = (start..<start + 10).map { number in
                    let id = number % 3 == 0 ? "" : #""id":"\#(prefix)-\#(number)","#
                    return "{" + id + #""type":"t","source":"/j","subject":"s\#(number % 9)","#
                        + #""data":{"mark":"\#(prefix)-\#(number)"}}"#
                }
                let reply = try nodes[index].post(
                    "/events?ack=streamed&timeout_ms=20000", lines: lines)
                guard try reply.json()["ack"]?.string == "streamed" else {
                    throw TestError("\(reply.status) \(reply.text)")
                }
            }
            marks.formUnion((0..<count).map { "\(prefix)-\($0)" })
        }

        /// Waits until all nodes have all, and nothing is left for any of them in Redis.
        func settle() throws {
            for node in nodes {
                try node.wait(until: "all are stored", every: .milliseconds(50)) {
                    try node.status("store", "rows")?.integer ?? 0 >= marks.count
                }
            }
            for group in ["n1", "n2", "w"] {
                try nodes[0].wait(until: "\(group) is done", every: .milliseconds(50)) {
                    try redis.isDone(group: group)
                }
            }
        }
    }

    /// Flips a bit in each of some records, whose text is in the journal alone.
    /// - Returns: how many.
    private func flip(_ prefix: String, _ numbers: [Int], in folder: String) throws -> Int {
        let files = FileSystem.names(in: folder).map { DamagedFile(folder + "/" + $0) }
        var count = 0
        for number in numbers {
            for file in files {
                guard let offset = file.offset(of: "\"\(prefix)-\(number)\"") else { continue }
                try file.flip(at: offset + 1)
                count += 1
            }
        }
        return count
    }

    @Test(arguments: Damage.allCases)
    func `a node has every event once after its journal was`(damage: Damage) throws {
        var cluster = try Cluster()
        try cluster.post("before", 60)
        try cluster.post("other", 60, to: 1)
        try cluster.settle()
        #expect(try cluster.nodes[0].terminate() == .exited(0))
        let copy = DamagedFile.contents(of: cluster.journal)
        cluster.nodes[0] = try cluster.nodes[0].startAgain()
        try cluster.post("since", 60)
        try cluster.settle()

        // Redis has them, and of this node the journal alone.
        let blocker = try StoreBlocker(cluster.nodes[0])
        try cluster.post("between", 120)
        let rows = try cluster.nodes[0].status("store", "rows")?.integer ?? 0
        #expect(rows < cluster.marks.count)
        let numbers = [5, 25, 26, 117]
        if damage == .damagedMeanwhile {
            #expect(try flip("between", numbers, in: cluster.journal) == numbers.count)
            blocker.release()
        } else {
            cluster.nodes[0].kill()
            blocker.release()
            switch damage {
            case .damaged:
                #expect(try flip("between", numbers, in: cluster.journal) == numbers.count)
            default:
                for name in FileSystem.names(in: cluster.journal) {
                    FileSystem.remove(cluster.journal + "/" + name)
                }
                guard damage == .older else { break }
                for (name, bytes) in copy {
                    try FileSystem.write(bytes, to: cluster.journal + "/" + name)
                }
            }
            cluster.nodes[0] = try cluster.nodes[0].startAgain()
        }
        try cluster.settle()
        // Sequences that the journal may have given before.
        try cluster.post("after", 120)
        try cluster.post("others", 60, to: 1)
        try cluster.settle()
        for node in cluster.nodes {
            #expect(try node.status("store", "rows")?.integer == cluster.marks.count)
        }
        for node in cluster.nodes.prefix(2) {
            let accounting = Accounting(
                acknowledged: cluster.marks, sent: cluster.marks, stored: try node.storedMarks())
            print("journal \(damage.rawValue): \(accounting)")
            #expect(accounting.isRight, "\(accounting)")
        }
        let found = try cluster.nodes[0].status("journal", "damage", "damaged_records")?.integer
        switch damage {
        case .damaged: #expect(found ?? 0 >= 2, "\(found ?? -1)")
        // The writer may have had them in memory.
        case .damagedMeanwhile: print("damaged records found: \(found ?? -1)")
        default: #expect(found == 0, "\(found ?? -1)")
        }
        for node in cluster.nodes { #expect(try node.terminate() == .exited(0)) }
    }
}
