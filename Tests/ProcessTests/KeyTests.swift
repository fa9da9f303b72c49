import TestSupport
import Testing

/// Who may do what on a service with a keys file.
@Suite(.processes) struct KeyTests {
    /// What each operation of `openapi.yaml` asks for: a scope, `any` for any key, `none` for none.
    private static let access: [String: String] = [
        "GET /healthz": "none", "GET /readyz": "none", "GET /openapi.yaml": "none",
        "GET /status": "admin", "GET /metrics": "any", "POST /events": "events:write",
        "GET /events": "events:read", "GET /events/tail": "events:read",
        "DELETE /events": "admin", "GET /admin/erasures": "admin",
        "GET /events/quarantine": "admin", "POST /events/quarantine/replay": "admin",
        "GET /events/dead-letters": "admin", "POST /events/dead-letters/replay": "admin",
        "PUT /admin/breakers/{name}": "admin", "GET /query": "query", "POST /query": "query",
        "GET /log-level": "admin", "PUT /log-level": "admin",
        "DELETE /admin/cache": "admin", "GET /query/named": "query",
        "GET /query/named/{name}": "query", "POST /query/named/{name}": "query",
        "GET /query/sql": "query:sql", "POST /query/sql": "query:sql",
        "GET /query/insights": "query",
        "POST /logs": "logs:write", "POST /v1/logs": "logs:write", "GET /logs": "logs:read",
        "GET /logs/histogram": "logs:read", "GET /logs/facets": "logs:read",
        "GET /logs/tail": "logs:read", "DELETE /logs": "admin",
        "GET /admin/rollups": "admin", "POST /admin/rollups/{name}/rebuild": "admin",
    ]

    private static let wrong = PlantedKey("nobody", "", scope: "")
    /// In place of a path's parameters and query, what would be right.
    private static let targets = [
        "PUT /admin/breakers/{name}": "/admin/breakers/streams",
        "DELETE /events": "/events?source=/nowhere",
        "GET /query": "/query?metric=count", "GET /query/sql": "/query/sql?q=SELECT%201",
        "GET /logs/facets": "/logs/facets?field=level", "DELETE /logs": "/logs?service=a",
        "GET /query/named/{name}": "/query/named/a", "POST /query/named/{name}": "/query/named/a",
        "GET /events/dead-letters": "/events/dead-letters?sink=a",
        "POST /events/dead-letters/replay": "/events/dead-letters/replay?sink=a",
    ]
    private static let bodies = [
        "POST /logs": #"{"message":"a"}"#, "POST /v1/logs": "{}",
        "POST /events": #"{"type":"a"}"#, "POST /query": #"{"metric":"count"}"#,
        "PUT /admin/breakers/{name}": #"{"mode":"forced_open"}"#,
        "PUT /log-level": #"{"level":"info"}"#, "POST /query/sql": #"{"q":"SELECT 1"}"#,
        "POST /query/named/{name}": "{}",
    ]

    private func ask(
        _ operation: String, _ service: RunningService, headers: [String: String],
        method: String? = nil
    ) throws -> ClientReply {
        let words = operation.split(separator: " ").map(String.init)
        var headers = headers
        let body = KeyTests.bodies[operation].map { Array($0.utf8) }
        if body != nil { headers["Content-Type"] = "application/json" }
        return try service.request(
            method ?? words[0], KeyTests.targets[operation] ?? words[1], headers: headers,
            body: body)
    }

    @Test func `every operation refuses whom it must, and then nothing was done`() throws {
        let keyed = try KeyedService()
        let service = keyed.service
        let described = try ContractDocument(service).operations
        #expect(Set(described) == Set(KeyTests.access.keys))
        for (operation, needed) in KeyTests.access.sorted(by: { $0.key < $1.key }) {
            guard needed != "none" else {
                #expect(try ask(operation, service, headers: [:]).status == 200)
                continue
            }
            for (headers, code) in [
                ([:], "missing_key"), (KeyTests.wrong.header, "unknown_key"),
                (PlantedKey.expired.header, "expired_key"),
                (["Authorization": "Basic YTpi"], "missing_key"),
            ] {
                let reply = try ask(operation, service, headers: headers)
                #expect(reply.status == 401, "\(operation) \(code)")
                // OpenTelemetry's clients are told by a `Status`, whose code is gRPC's.
                if operation != "POST /v1/logs" {
                    #expect(try reply.json()["code"]?.string == code, "\(operation)")
                }
                let challenge = reply.header("WWW-Authenticate") ?? ""
                #expect(challenge.hasPrefix("Bearer realm=\"millrace\""), "\(challenge)")
                #expect(challenge.contains("error=\"invalid_token\"") == (code != "missing_key"))
            }
            for key in PlantedKey.scoped
            where needed != "any" && key.fields[0] != "scopes: [\(needed)]" {
                let reply = try ask(operation, service, headers: key.header)
                #expect(reply.status == 403, "\(operation) \(key.name)")
                let problem = try reply.json()
                let detail = "The key lacks the scope \(needed)."
                if operation == "POST /v1/logs" {
                    #expect(problem["code"]?.integer == 7)
                    #expect(problem["message"]?.string == detail)
                } else {
                    #expect(problem["code"]?.string == "insufficient_scope")
                    #expect(problem["detail"]?.string == detail)
                }
                #expect(
                    reply.header("WWW-Authenticate")?
                        .hasSuffix(", error=\"insufficient_scope\", scope=\"\(needed)\"") == true)
            }
            if operation.hasPrefix("GET") {
                #expect(try ask(operation, service, headers: [:], method: "HEAD").status == 401)
            }
        }
        let status = try keyed.status()
        #expect(status["events"]?["accepted"]?.integer == 0)
        #expect(status["events"]?["rejected"]?.integer == 0)
        #expect(status["store"]?["rows"]?.integer == 0)
        #expect(status["keys"]?["refused"]?["missing_key"]?.integer ?? 0 > 20)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `a key opens what its scope is for`() throws {
        let keyed = try KeyedService()
        #expect(
            try keyed.post("/events?ack=stored", json: #"{"type":"a"}"#, .eventsWrite).status == 200
        )
        let events = try keyed.get("/events", .eventsRead).json()
        #expect(events["events"]?[0]?["source"]?.string == "/eventswrite")
        #expect(try keyed.get("/query?metric=count", .query).json()["rows"]?[0]?[0]?.integer == 1)
        for key in PlantedKey.scoped { #expect(try keyed.get("/metrics", key).status == 200) }
        for path in ["/status", "/events/quarantine"] {
            #expect(try keyed.get(path, .admin).status == 200)
        }
        // The scheme is no name of ours to spell.
        let headers = ["Authorization": "bEARER   \(PlantedKey.query.text) "]
        #expect(try keyed.service.get("/query?metric=count", headers: headers).status == 200)
    }

    @Test func `an Authorization that is there twice or empty is malformed`() throws {
        let keyed = try KeyedService()
        let wire = try keyed.service.connect()
        let field = "Authorization: Bearer \(PlantedKey.query.text)"
        let reply = try wire.ask("GET", "/query?metric=count", [field, field])
        #expect(reply.status == 400)
        #expect(try reply.json()["code"]?.string == "malformed_authorization")
        #expect(try wire.ask("GET", "/query?metric=count", ["Authorization: Bearer"]).status == 400)
        #expect(try wire.ask("GET", "/query?metric=count", [field]).status == 200)
    }

    @Test func `a client without a key that announces 10 MiB has none of it read`() throws {
        let keyed = try KeyedService()
        let wire = try keyed.service.connect()
        try wire.send(
            "POST /events HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                + "Content-Length: 10485760\r\n\r\n")
        let reply = try wire.receive()
        #expect(reply.status == 401)
        #expect(reply.header("Connection") == "close")
        try keyed.service.wait(until: "the request is in the log") {
            keyed.service.records.contains {
                $0["route"]?.string == "/events" && $0["status"]?.integer == 401
                    && $0["request_bytes"]?.integer == 0
            }
        }
    }

    @Test func `a key that is bound to types sends and sees no others`() throws {
        let keyed = try KeyedService()
        let sent = try keyed.post(
            "/events?ack=stored",
            json: #"[{"type":"web.a"},{"type":"order"},{"type":"webx"},{"type":"web.b"}]"#, .bound)
        let answer = try sent.json()
        #expect(answer["accepted"]?.integer == 2)
        #expect(answer["rejected"]?.integer == 2)
        #expect(answer["errors"]?[0]?["code"]?.string == "type_not_allowed")
        #expect(answer["errors"]?[1]?["index"]?.integer == 2)
        // Nothing waits for a replay, which asks no key.
        #expect(try keyed.status()["store"]?["quarantine"]?["rows"]?.integer == 0)
        let other = #"[{"type":"order"},{"type":"web.a"}]"#
        #expect(try keyed.post("/events?ack=stored", json: other, .eventsWrite).status == 200)

        for target in ["/events", "/query?metric=count"] {
            let refused = try keyed.get(target, .bound)
            #expect(refused.status == 403, "\(target)")
            #expect(try refused.json()["code"]?.string == "type_not_allowed")
        }
        for target in [
            "/events?type=order", "/events?type=web.a,order", "/query?metric=count&event=order",
            "/query?metric=count&event=web.a,order", "/events/tail?type=order",
        ] {
            #expect(try keyed.get(target, .bound).status == 403, "\(target)")
        }
        let asked = try keyed.get("/query?metric=count&event=web.a,web.b", .bound).json()
        #expect(asked["rows"]?[0]?[0]?.integer == 3)
        let exact = try keyed.get("/query?metric=count&group_by=type", .exact).json()
        #expect(exact["rows"]?[0]?[0]?.string == "web.a" && exact["rows"]?[1] == nil)
        let listed = try keyed.get("/events", .exact).json()
        #expect(listed["events"]?[1]?["type"]?.string == "web.a" && listed["events"]?[2] == nil)
        let posted = try keyed.post(
            "/query", json: #"{"metric":"count","event":["order"]}"#, .exact)
        #expect(posted.status == 403)
    }

    @Test func `a tail sends the types of its key alone, and ends with the key`() throws {
        let keyed = try KeyedService()
        let tail = try EventTail(keyed.service, headers: PlantedKey.bound.header)
        let sent = #"[{"type":"order","id":"1"},{"type":"web.c","id":"2"}]"#
        #expect(try keyed.post("/events?ack=stored", json: sent, .eventsWrite).status == 200)
        #expect(try tail.next(1)[0].eventID == "2")
        try keyed.write(PlantedKey.scoped.map(\.yaml).joined())
        #expect(throws: TestError.self) { try tail.next(1) }
        #expect(try keyed.get("/events?type=web.c", .bound).status == 401)
    }
}
