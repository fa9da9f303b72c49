import Primitives
import TestSupport
import Testing

/// One key's long questions and another key's short ones.
@Suite(.processes) struct QueryFairnessTests {
    @Test func `a key that floods long SQL does not slow another key's small questions`() throws {
        let keyed = try KeyedService(
            PlantedKey.all, ["--enable-sql", "--query-timeout", "2s", "--readers", "2"])
        let lines = (0..<2000).map { #"{"type":"t","n":\#($0)}"# }
        let sent = try keyed.service.post(
            "/events?ack=stored", Array(lines.joined(separator: "\n").utf8),
            type: "application/x-ndjson", headers: PlantedKey.eventsWrite.header)
        #expect(sent.status == 200)
        // Its kind is known to be short from here on.
        _ = try keyed.get("/query?metric=count&cache=bypass", .query)
        let (isOver, flooded) = (Locked(false), Locked(0))
        let flood = (0..<16).map { index in
            Thread(name: "flood-\(index)") {
                while !isOver.withLock({ $0 }) {
                    let reply = try? keyed.service.sql(
                        "WITH RECURSIVE c(x) AS (SELECT \(index) UNION ALL SELECT x + 1 FROM c) "
                            + "SELECT count(*) FROM c", headers: PlantedKey.sql.header)
                    if reply?.status == 503 { flooded.withLock { $0 += 1 } }
                }
            }
        }
        try keyed.service.wait(until: "the flood is under way") { flooded.withLock { $0 } > 0 }
        var times: [Duration] = []
        for _ in 0..<100 {
            let start = MonotonicTime.now()
            let reply = try keyed.get("/query?metric=count&cache=bypass", .query)
            times.append(MonotonicTime.now().since(start))
            #expect(reply.status == 200)
        }
        isOver.withLock { $0 = true }
        for thread in flood { thread.join() }
        times.sort()
        print(
            "small questions beside a flood: median \(times[50].wholeNanoseconds / 1000) µs, "
                + "the slowest \(times[99].wholeNanoseconds / 1000) µs; "
                + "\(flooded.withLock { $0 }) long ones gave up")
        #expect(times[90] < .milliseconds(500) * slowness)
    }
}
