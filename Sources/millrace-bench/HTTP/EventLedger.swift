import Primitives

/// What a server has acknowledged, held against what it can be asked for at the end.
struct EventLedger {
    /// Storing goes at some ten thousand rows a second at least.
    private static let settleLimit = Duration.seconds(180)

    private var acknowledged = 0
    /// Events of requests that wrk cut off when its time was over: they may be stored too.
    private var unanswered = 0

    mutating func add(requests: Int, connections: Int, eventsEach: Int = 1) {
        acknowledged += requests * eventsEach
        unanswered += connections * eventsEach
    }

    /// Waits until the store has caught up, and with Redis until the streams have everything too.
    /// - Returns: how long that took, and how many rows there are.
    /// - Throws: unless every acknowledged event is stored once.
    func settle(_ server: ServerProcess) throws(BenchFailure) -> (time: Duration, rows: Int) {
        let start = MonotonicTime.now()
        let deadline = Deadline.after(EventLedger.settleLimit)
        var stored = 0
        repeat {
            stored = try storedCount(server)
            if stored >= acknowledged, try unforwardedCount(server) == 0 { break }
            sleep(until: .after(.milliseconds(100)))
        } while !deadline.hasPassed
        let time = MonotonicTime.now().since(start)
        // Some that were not answered may still be on their way; they only add.
        guard (acknowledged...acknowledged + unanswered).contains(stored) else {
            throw BenchFailure("\(acknowledged) events were acknowledged and \(stored) stored")
        }
        return (time, stored)
    }

    /// Records that Redis was not sent; 0 without Redis.
    private func unforwardedCount(_ server: ServerProcess) throws(BenchFailure) -> Int {
        let reply = try server.get("/status")
        let status = try attempt("the status") { () throws(JSONError) in
            try JSONValue.parse(reply.body.span)
        }
        guard case .integer(let count)? = status["journal"]?["unforwarded"] else { return 0 }
        return Int(count)
    }

    private func storedCount(_ server: ServerProcess) throws(BenchFailure) -> Int {
        let target = "/query?metric=count&from=1971-01-01&to=2100-01-01&cache=bypass"
        let reply = try server.get(target)
        let answer = try attempt("the count") { () throws(JSONError) in
            try JSONValue.parse(reply.body.span)
        }
        guard reply.status == 200,
            case .integer(let count)? = answer["rows"]?.elements?.first?.elements?.first
        else { throw BenchFailure("the count was answered with \(reply.status)") }
        return Int(count)
    }
}
