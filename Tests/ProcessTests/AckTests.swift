import Testing
import TestSupport

/// What `ack` and `timeout_ms` promise.
@Suite(.processes) struct AckTests {
    @Test func `the answer says the level that was reached, never more`() throws {
        let service = try RunningService.start()
        let journaled = try service.post("/events?ack=journaled", json: #"{"type":"a"}"#)
        #expect(journaled.status == 202)
        #expect(try journaled.json()["ack"] == .string("journaled"))
        let stored = try service.post("/events?ack=stored", json: #"{"type":"a"}"#)
        #expect(stored.status == 200)
        #expect(try stored.json()["ack"] == .string("stored"))
        #expect(try service.storedCount() == 2)
        // There is no Redis, so nothing is ever streamed.
        let streamed = try service.post("/events?ack=streamed", json: #"{"type":"a"}"#)
        #expect(streamed.status == 202)
        #expect(try streamed.json()["ack"] == .string("journaled"))
    }

    @Test func `a store that is too slow is not waited for beyond the deadline`() throws {
        let log = AccessLog(count: 20_000)
        let service = try RunningService.start()
        // Storing all this takes the debug program far longer than a millisecond.
        let reply = try service.post(
            "/events?ack=stored&timeout_ms=1", log.ndjson, type: "application/x-ndjson")
        #expect(reply.status == 202)
        #expect(try reply.json()["ack"] == .string("journaled"))
        try service.waitUntilAllIsStored()
        #expect(try service.storedCount() == log.count)
    }

    @Test(arguments: [
        "ack=fast", "strict=2", "timeout_ms=0", "timeout_ms=x", "acks=1", "ack=a&ack=b",
    ])
    func `a parameter that is not understood is refused by name`(parameters: String) throws {
        let service = try RunningService.start()
        let reply = try service.post("/events?\(parameters)", json: #"{"type":"a"}"#)
        #expect(reply.status == 400)
        let name = parameters.split(separator: "=").first.map(String.init)
        #expect(try reply.json()["parameter"]?.string == name)
        #expect(try service.storedCount() == 0)
    }
}
