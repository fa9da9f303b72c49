import Testing
import TestSupport

/// What a service holds, asked for over HTTP.
extension RunningService {
    /// The `id` of every stored event, page by page, newest first.
    func storedIDs(pageLimit: Int = 1000) throws -> [String] {
        try storedEvents(pageLimit: pageLimit).compactMap { $0["id"]?.string }
    }

    /// What `EventLoad` knows every stored event by: its mark, or else its id.
    func storedMarks() throws -> [String] { try storedEvents().map(\.mark) }

    private func storedEvents(pageLimit: Int = 1000) throws -> [JSONTree] {
        let connection = try connect()
        var found: [JSONTree] = []
        var cursor: String? = ""
        while let from = cursor {
            let place = from.isEmpty ? "" : "&cursor=\(from)"
            try connection.send("GET", "/events?limit=\(pageLimit)\(place)")
            let reply = try connection.receive()
            guard reply.status == 200, let page = try? reply.json(),
                let events = page["events"]?.array
            else { throw TestError("a page of events: \(reply.status) \(reply.text.prefix(500))") }
            found += events
            cursor = page["next"]?.string
        }
        return found
    }

    /// The only row of a `/query` without groups over all time, with everything that was stored
    /// before it was asked.
    func row(_ metric: String, _ rest: String = "") throws -> [JSONTree] {
        let reply = try get(
            "/query?metric=\(metric)&from=1971-01-01&to=2100-01-01&max_stale=0\(rest)")
        guard reply.status == 200, let row = try reply.json()["rows"]?[0]?.array else {
            throw TestError("query: \(reply.status) \(reply.text.prefix(500))")
        }
        return row
    }

    /// How many events are stored.
    func storedCount() throws -> Int { try row("count").first?.integer ?? -1 }

    /// Waits until everything that is journaled is stored too.
    func waitUntilAllIsStored(within limit: Duration = .seconds(60)) throws {
        try wait(until: "the journal is stored", within: limit) {
            try get("/status").json()["journal"]?["unstored"]?.integer == 0
        }
    }
}

extension JSONTree {
    /// Of a CloudEvent: what `EventLoad` knows it by.
    var mark: String { self["data"]?["mark"]?.string ?? self["id"]?.string ?? "" }
}

/// Whether every acknowledged event is stored once and no event twice.
struct Accounting: CustomStringConvertible {
    var acknowledged: Int
    var sent: Int
    var stored: Int
    /// Acknowledged and not stored: lost.
    var missing: [String]
    var twice: [String]
    /// Stored without ever having been sent.
    var foreign: [String]

    init(acknowledged: Set<String>, sent: Set<String>, stored: [String]) {
        var seen: Set<String> = []
        twice = stored.filter { !seen.insert($0).inserted }
        missing = acknowledged.subtracting(seen).sorted()
        foreign = seen.subtracting(sent).sorted()
        self.acknowledged = acknowledged.count
        self.sent = sent.count
        self.stored = stored.count
    }

    var isRight: Bool { missing.isEmpty && twice.isEmpty && foreign.isEmpty }

    var description: String {
        "\(sent) sent, \(acknowledged) acknowledged, \(stored) stored; "
            + "\(missing.count) missing \(missing.prefix(5)), \(twice.count) twice "
            + "\(twice.prefix(5)), \(foreign.count) foreign \(foreign.prefix(5))"
    }
}
