import TestSupport
import Testing

/// What a page in somebody's browser could send to a service without keys on the same machine.
@Suite(.processes) struct BrowserTests {
    @Test func `a page of another site can change nothing`() throws {
        let service = try RunningService.start()
        let refused = try service.post(
            "/events", Array(#"{"type":5}"#.utf8), type: "application/json")
        #expect(refused.status == 422)
        for headers in [
            ["Sec-Fetch-Site": "cross-site"], ["Origin": "https://evil.example"],
            ["Origin": "null"], ["Sec-Fetch-Site": "same-site", "Origin": "http://localhost:1"],
        ] {
            for (method, path) in [
                ("POST", "/events/quarantine/replay"), ("POST", "/events"), ("POST", "/query"),
                ("POST", "/events/dead-letters/replay?sink=a"), ("PUT", "/admin/breakers/streams"),
            ] {
                let reply = try service.request(
                    method, path, headers: headers, body: Array(#"{"type":"page"}"#.utf8))
                #expect(reply.status == 403, "\(method) \(path) \(headers): \(reply.text)")
                #expect(try reply.json()["code"]?.string == "cross_site_request")
            }
            let replay = try service.request(
                "POST", "/events/quarantine/replay", headers: headers)
            #expect(replay.status == 403)
        }
        var list: [JSONTree] = []
        try service.wait(until: "the refused event is kept") {
            list = try service.get("/events/quarantine").json()["events"]?.array ?? []
            return !list.isEmpty
        }
        #expect(list.count == 1 && list[0]["replayed"] == .null)
        let own = try service.request(
            "POST", "/events/quarantine/replay",
            headers: ["Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"])
        #expect(own.status == 200)
        #expect(try service.get("/query?metric=count").text.contains("[[0]]"))
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `a name that was rebound to this machine leads nowhere, and a known one does`()
        throws
    {
        let service = try RunningService.start(["--allowed-hosts", "millrace.internal"])
        for path in ["/events", "/query?metric=count", "/status", "/healthz", "/events/tail"] {
            let reply = try ask(service, "GET", path, host: "evil.example:8080")
            #expect(reply.status == 403, "\(path)")
            #expect(try reply.json()["code"]?.string == "host_not_allowed")
        }
        #expect(
            try ask(service, "POST", "/events/quarantine/replay", host: "evil.example").status
                == 403)
        for host in ["localhost:1", "127.0.0.1", "[::1]:2", "MILLRACE.internal:80"] {
            #expect(try ask(service, "GET", "/healthz", host: host).status == 200)
        }
        #expect(try service.terminate() == .exited(0))
    }

    private func ask(
        _ service: RunningService, _ method: String, _ path: String, host: String
    ) throws -> ClientReply {
        let wire = try service.connect()
        try wire.send("\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\n\r\n")
        return try wire.receive()
    }
}
