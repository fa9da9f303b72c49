import Testing
import TestSupport

/// CloudEvents 1.0 over HTTP in its three modes, and back out of the store.
@Suite(.processes) struct CloudEventTests {
    @Test func `structured, batch and binary events are stored as they were meant`() throws {
        let service = try RunningService.start()
        let structured = try service.post(
            "/events?ack=stored",
            Array(
                #"{"specversion":"1.0","id":"s1","source":"/t","type":"ce","time":"#.utf8)
                + Array(#""2026-11-01T10:00:00.5Z","tenant":"acme","data":{"n":1}}"#.utf8),
            type: "application/cloudevents+json; charset=utf-8")
        #expect(structured.status == 200, "\(structured.text)")
        let batch = try service.post(
            "/events?ack=stored",
            Array(
                """
                [{"specversion":"1.0","id":"b1","source":"/t","type":"ce","data":{"n":2}},
                 {"specversion":"1.0","id":"b2","source":"/t","type":"ce","data_base64":"AAE="},
                 {"specversion":"1.0","source":"/t","type":"ce"}]
                """.utf8), type: "application/cloudevents-batch+json")
        #expect(try batch.json()["accepted"] == .integer(2), "\(batch.text)")
        #expect(try batch.json()["errors"]?[0]?["code"] == .string("missing_id"))
        let binary = try service.post(
            "/events?ack=stored", Array(#"{"n":3}"#.utf8), type: "application/json",
            headers: [
                "ce-specversion": "1.0", "ce-id": "h1", "ce-source": "/t", "ce-type": "ce",
                "ce-subject": "caf%C3%A9", "ce-tenant": "acme",
            ])
        #expect(binary.status == 200, "\(binary.text)")
        #expect(try service.row("count,sum:n", "&event=ce") == [.integer(4), .integer(6)])
        let events = try service.get("/events?type=ce").json()["events"]?.array ?? []
        let byID = Dictionary(uniqueKeysWithValues: events.map { ($0["id"]?.string ?? "", $0) })
        #expect(byID["s1"]?["time"] == .string("2026-11-01T10:00:00.500Z"))
        #expect(byID["s1"]?["tenant"] == .string("acme"))
        #expect(byID["b2"]?["data_base64"] == .string("AAE="))
        #expect(byID["h1"]?["subject"] == .string("café"))
        #expect(byID["h1"]?["data"]?["n"] == .integer(3))
        #expect(events.allSatisfy { $0["specversion"] == .string("1.0") })
    }

    @Test func `bad attributes are refused`() throws {
        let service = try RunningService.start()
        let good = [
            "ce-specversion": "1.0", "ce-id": "x", "ce-source": "/t", "ce-type": "ce",
        ]
        let changes: [(String, String?)] = [
            ("ce-specversion", "0.3"), ("ce-id", nil), ("ce-type", nil), ("ce-source", ""),
            ("ce-time", "yesterday"), ("ce-id", String(repeating: "i", count: 300)),
        ]
        for (name, value) in changes {
            var headers = good
            headers[name] = value
            let reply = try service.post(
                "/events", Array("{}".utf8), type: "application/json", headers: headers)
            #expect(reply.status == 422, "\(name)=\(value ?? "none"): \(reply.status)")
        }
        #expect(try service.storedCount() == 0)
    }
}
