import Primitives
import TestSupport

/// The course of one fault: a service under load, before, while and after it, and what was seen.
struct StreamFaultCourse: Sendable {
    let fault: StreamFault
    /// From the beginning of the fault until a breaker opened, and from its end until both are
    /// closed again.
    var opened = Duration.zero
    var closed = Duration.zero
    /// The longest that a breaker may now stay open.
    var promisedClose = Duration.zero
    /// The lanes whose breaker opened.
    var lanes: [String] = []

    // While Redis is away.
    var readyStatus = 0
    var ready = ""
    var errors = ""
    var streamedReply = HTTPStatusAndAck()
    var storedReply = HTTPStatusAndAck()
    var unforwarded = 0

    // At the end.
    var accounting: Accounting?
    var statuses: [Int: Int] = [:]
    var unanswered = 0
    /// Acknowledged, and not to be found in the streams.
    var unsent: [String] = []
    var losses = 0
    var breakers: [String] = []
    var exit: ProcessEnding?
    var stderr = ""

    struct HTTPStatusAndAck: Equatable, Sendable {
        var status = 0
        var ack = ""
    }

    private static let lanes = ["streams", "stream-consumer"]
    private static let group = "stranger"

    init(_ fault: StreamFault) throws {
        self.fault = fault
        let redis = try RedisServer(fault.arguments)
        let proxy = fault.isProxied ? try FaultProxy(to: redis.port) : nil
        defer { proxy?.stop() }
        try redis.addGroup(StreamFaultCourse.group)
        let service = try RunningService.start(
            redis: proxy.map { "redis://127.0.0.1:\($0.port)" } ?? redis.url)
        let scene = StreamFault.Scene(redis: redis, proxy: proxy)
        let load = EventLoad(
            on: service, clients: 2, prefix: "f", seed: 7, pause: .milliseconds(10),
            subjects: 20, batchLimit: 20, marksEvery: 3)
        try service.waitUntilStreamsAre("ok")
        try service.waitForMore(of: load)
        let began = MonotonicTime.now()
        try fault.begin(scene)
        try awaitOpen(service, since: began)
        try lookWhileAway(service, load)
        let ended = MonotonicTime.now()
        let openings = try StreamFaultCourse.openings(service)
        try fault.end(scene)
        try awaitClosed(service, since: .now())
        promisedClose = StreamFaultCourse.longestOpen(
            after: ended.since(began),
            reopenings: try StreamFaultCourse.openings(service) - openings)
        try service.waitUntilStreamsAre("ok")
        try service.waitForMore(of: load)
        load.stop()
        try lookAtTheEnd(service, load, redis)
    }

    /// What a client could not tell from a healthy day: `202`, whatever happens to Redis.
    private mutating func lookWhileAway(_ service: RunningService, _ load: EventLoad) throws {
        try service.waitUntilStreamsAre("open", within: .seconds(10))
        let ready = try service.get("/readyz")
        (readyStatus, self.ready) = (ready.status, try ready.json()["status"]?.string ?? "")
        streamedReply = try reply(service, "f-streamed", "streamed&timeout_ms=100")
        storedReply = try reply(service, "f-stored", "stored&timeout_ms=20000")
        try service.waitForMore(of: load)
        let word = "Redis \(fault.error):"
        try? service.wait(until: word, within: .seconds(5)) {
            errors = try StreamFaultCourse.lanes.compactMap {
                try service.status("breakers", $0, "last_error")?.string
            }.joined(separator: "; ")
            return errors.contains(word)
        }
        unforwarded = try service.status("stream", "forwarder", "unforwarded")?.integer ?? 0
    }

    private func reply(
        _ service: RunningService, _ id: String, _ ack: String
    ) throws -> HTTPStatusAndAck {
        let reply = try service.post(
            "/events?ack=\(ack)", json: #"{"id":"\#(id)","type":"load","source":"/load"}"#)
        return HTTPStatusAndAck(
            status: reply.status, ack: try reply.json()["ack"]?.string ?? "")
    }

    private mutating func lookAtTheEnd(
        _ service: RunningService, _ load: EventLoad, _ redis: RedisServer
    ) throws {
        try service.waitUntilStreamsAreDrained()
        let others: Set = ["f-streamed", "f-stored"]
        let acknowledged = load.acknowledged.union(others)
        accounting = Accounting(
            acknowledged: acknowledged, sent: load.sent.union(others),
            stored: try service.storedMarks())
        (statuses, unanswered) = (load.statuses, load.unanswered)
        if !fault.losesData {
            unsent = acknowledged.subtracting(
                try redis.readAll(group: StreamFaultCourse.group)
            ).sorted()
        }
        losses = try service.status("stream", "forwarder", "losses")?.integer ?? -1
        // A busy machine may have opened one again.
        try? service.wait(until: "the breakers are closed") {
            try service.breakers().allSatisfy { $0 == "closed" }
        }
        breakers = try service.breakers()
        exit = try service.terminate()
        stderr = service.errors
    }

    // MARK: Breakers

    /// A breaker says how long ago it changed, so looking late costs no exactness.
    private mutating func awaitOpen(
        _ service: RunningService, since began: MonotonicTime
    ) throws {
        var ages: [Double] = []
        try service.wait(until: "a breaker is open", every: .milliseconds(20)) {
            ages = []
            for lane in StreamFaultCourse.lanes {
                let breaker = try service.status("breakers", lane)
                guard breaker?["state"]?.string != "closed" else { continue }
                ages.append(breaker?["changed_seconds_ago"]?.number ?? 0)
            }
            return !ages.isEmpty
        }
        opened = MonotonicTime.now().since(began) - .seconds(ages.max() ?? 0)
    }

    private mutating func awaitClosed(
        _ service: RunningService, since ended: MonotonicTime
    ) throws {
        try service.wait(
            until: "the breakers are closed", within: .seconds(60), every: .milliseconds(20)
        ) { try service.breakers().allSatisfy { $0 == "closed" } }
        var ages: [Double] = []
        for lane in StreamFaultCourse.lanes {
            let breaker = try service.status("breakers", lane)
            guard breaker?["opened"]?.integer ?? 0 > 0 else { continue }
            lanes.append(lane)
            ages.append(breaker?["changed_seconds_ago"]?.number ?? 0)
        }
        closed = MonotonicTime.now().since(ended) - .seconds(ages.min() ?? 0)
    }

    /// Open times are 1 s at first and double up to 30 s, a quarter more or less each.
    /// - Parameter reopenings: since the fault ended. On a busy machine a trial may be slow, which
    ///   opens a breaker again for twice as long.
    private static func longestOpen(after outage: Duration, reopenings: Int) -> Duration {
        var (period, shortest) = (1.0, 0.75)
        while shortest <= outage.inSeconds {
            period = min(30, 2 * period)
            shortest += 0.75 * period
        }
        var sum = period
        for _ in 0..<reopenings {
            period = min(30, 2 * period)
            sum += period
        }
        return .seconds(1.25 * sum)
    }

    /// How often the breakers have opened: of the one that did more often.
    private static func openings(_ service: RunningService) throws -> Int {
        try lanes.map { try service.status("breakers", $0, "opened")?.integer ?? 0 }.max() ?? 0
    }
}

extension StreamFaultCourse: CustomStringConvertible {
    var description: String {
        func text(_ time: Duration) -> String { "\(time.wholeMilliseconds) ms" }
        return "Redis \(fault.name): \(lanes.joined(separator: " and ")) open after "
            + "\(text(opened)) by \(errors.prefix(90)); closed \(text(closed)) after its end "
            + "(promised \(text(promisedClose))); \(unforwarded) records waited; "
            + (accounting.map { "\($0)" } ?? "no account")
    }
}
