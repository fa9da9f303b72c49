import Primitives
import ProcessSupport
import TestSupport
import Testing

/// Masking as a configuration wants it, from the request to the bytes on disk.
@Suite(.processes) struct MaskedServiceTests {
    private static let secrets = ["zoe@example.org", "4012888888881881", "C-904711"]

    private func start(_ yaml: String, _ arguments: [String] = []) throws -> RunningService {
        let directory = try TemporaryDirectory()
        try directory.write("millrace.yaml", yaml)
        let service = try RunningService.start(
            ["--config", directory.file("millrace.yaml")] + arguments)
        withExtendedLifetime(directory) {}
        return service
    }

    /// Every file of the data directory that holds `secret`.
    private func files(of service: RunningService, holding secret: String) -> [String] {
        [service.dataDirectory, service.dataDirectory + "/journal"].flatMap { folder in
            DamagedFile.contents(of: folder).filter { _, bytes in
                bytes.firstRange(of: Array(secret.utf8)) != nil
            }.keys
        }
    }

    @Test func `data of events is masked before a byte of it reaches journal or store`() throws {
        let service = try start(
            #"""
            mask:
              events: { types: [web.*] }
              rules:
                customer: { pattern: '\bC-\d{6}\b', include: [data.order] }
            """#)
        let data =
            #"{"mail":"zoe@example.org","n":4012888888881881,"order":{"by":"C-904711"},"#
            + #""note":"C-904711","token":"x"}"#
        let reply = try service.post(
            "/events?ack=stored",
            lines: [
                #"{"id":"1","type":"web.view","data":\#(data)}"#,
                #"{"id":"2","type":"web.view","data":"zoe@example.org"}"#,
                #"{"id":"3","type":"web.view","data":4012888888881881}"#,
                #"{"id":"4","type":"web.view","mail":"zoe@example.org"}"#,
                #"{"id":"5","type":"","data":"zoe@example.org 4012888888881881"}"#,
            ])
        #expect(reply.status == 200)
        #expect(try reply.json()["rejected"]?.integer == 1)
        let events = try service.get("/events").json()["events"]?.array ?? []
        let byID = Dictionary(
            uniqueKeysWithValues: events.map { ($0["id"]?.string ?? "", $0["data"]) })
        #expect(byID["1"]??["mail"]?.string == "[EMAIL]")
        #expect(byID["1"]??["n"]?.string == "[CARD]")
        #expect(byID["1"]??["order"]?["by"]?.string == "[CUSTOMER]")
        #expect(byID["1"]??["note"]?.string == "C-904711", "the rule holds elsewhere")
        #expect(byID["1"]??["token"]?.string == "[REDACTED]")
        #expect(byID["2"]??.string == "[EMAIL]" && byID["3"]??.string == "[CARD]")
        #expect(byID["4"]??["mail"]?.string == "[EMAIL]")
        let refused = try service.get("/events/quarantine").json().quarantined.first
        #expect(refused?["preview"]?["data"]?.string == "[EMAIL] [CARD]")
        for secret in Self.secrets.dropLast() {
            #expect(files(of: service, holding: secret).isEmpty, "\(secret)")
        }
        #expect(!files(of: service, holding: "C-904711").isEmpty, "the search finds what is there")
        let status = try service.get("/status").json()["masking"]
        #expect(status?["masks_events"] == .bool(true) && status?["rules"]?.integer == 1)
        #expect(status?["matches"]?["email"]?.integer ?? 0 >= 4)
        let metrics = try PrometheusText(try service.get("/metrics").text)
        let samples = metrics.families["millrace_mask_matches_total"]?.samples ?? [:]
        #expect(samples[#"millrace_mask_matches_total{rule="customer"}"#] == 1)
        #expect(samples[#"millrace_mask_matches_total{rule="email"}"#] ?? 0 >= 4)
        #expect(try service.terminate() == .exited(0))
        for secret in Self.secrets.dropLast() {
            #expect(files(of: service, holding: secret).isEmpty, "\(secret) after the end")
            #expect(!service.output.contains(secret))
        }
    }

    @Test func `only the types and classes that are named are masked in data`() throws {
        let service = try start("mask: { events: { types: [web.*], classes: [card] } }")
        let data = #"{"mail":"zoe@example.org","n":"4012888888881881"}"#
        for type in ["web.view", "api.call"] {
            let event = #"{"type":"\#(type)","data":\#(data)}"#
            #expect(try service.post("/events?ack=stored", json: event).status == 200)
        }
        let events = try service.get("/events").json()["events"]?.array ?? []
        let shown = Dictionary(
            uniqueKeysWithValues: events.map { ($0["type"]?.string ?? "", $0["data"]) })
        #expect(shown["web.view"]??["mail"]?.string == "zoe@example.org")
        #expect(shown["web.view"]??["n"]?.string == "[CARD]")
        #expect(shown["api.call"]??["n"]?.string == "4012888888881881")
    }

    @Test func `the log and problems mask what clients send`() throws {
        let service = try start("mask: { forms: { email: drop } }", ["--access-log", "all"])
        let reply = try service.get(
            "/users/zoe@example.org/4012888888881881",
            headers: ["X-Request-Id": "4012888888881881"])
        #expect(reply.status == 404)
        #expect(try reply.json()["instance"]?.string == "/users/*/*")
        let strange = try service.get("/events?zoe@example.org=1")
        #expect(strange.status == 400 && !strange.text.contains("zoe"))
        // A card's number may look like the name of a parameter.
        let card = try service.get("/events?4012888888881881=1")
        #expect(card.status == 400 && !card.text.contains("4012888888881881"), "\(card.text)")
        #expect(try service.terminate() == .exited(0))
        let requests = service.records.filter { $0["message"]?.string == "request" }
        #expect(requests.contains { $0["request_id"]?.string == "[CARD]" })
        #expect(!service.output.contains("4012888888881881"))
    }

    @Test(arguments: ["search", "files"])
    func `logs that are taken in are masked as the configuration says, wherever they go`(
        mode: String
    ) throws {
        let receiver = try OTLPReceiver()
        let yaml = #"""
            mask:
              forms: { email: drop }
              allow: ["4012888888881881"]
              rules:
                customer: { pattern: '\bC-\d{6}\b', include: [message, attributes.order] }
                host: { pattern: 'db-\d+', include: [resource.host] }
            log-forwards:
              far: { url: "URL" }
            """#.replacing("URL", with: receiver.url)
        let service = try start(yaml, ["--logs-store", mode])
        let tail = mode == "search" ? try LogTail(service) : nil
        let record =
            #"{"message":"zoe@example.org and C-904711","n":"4012888888881881","#
            + #""order":{"by":"C-904711"},"note":"C-904711 5105105105105100"}"#
        #expect(try service.post("/logs", json: record).status == 202)
        let shown = try tail?.next()
        let foreign =
            #"{"resourceLogs":[{"resource":{"attributes":[{"key":"host","value":"#
            + #"{"stringValue":"db-17"}}]},"scopeLogs":[{"logRecords":[{"body":"#
            + #"{"stringValue":"db-17 of C-904711"}}]}]}]}"#
        #expect(try service.post("/v1/logs", json: foreign).status == 200)
        try service.wait(until: "both are sent on") { receiver.taken.count >= 2 }
        let own = try #require(receiver.taken.first { $0.resource.isEmpty })
        #expect(own.body == " and [CUSTOMER]")
        let attributes = try JSONTree.parse(own.attributes)
        #expect(attributes["n"]?.string == "4012888888881881")
        #expect(attributes["order"]?["by"]?.string == "[CUSTOMER]")
        #expect(attributes["note"]?.string == "C-904711 [CARD]")
        let other = try #require(receiver.taken.first { !$0.resource.isEmpty })
        #expect(other.body == "db-17 of [CUSTOMER]" && other.resource == #"{"host":"[HOST]"}"#)
        let matches = try service.get("/status").json()["masking"]?["matches"]
        #expect(matches?["customer"]?.integer == 3 && matches?["host"]?.integer == 1)
        if let shown {
            #expect(try JSONTree.parse(shown)["message"]?.string == " and [CUSTOMER]")
            let listed = try service.get("/logs?q=and").json()["records"]?[0]
            #expect(listed?["attributes"] == attributes)
        }
        #expect(try service.terminate() == .exited(0))
        for (place, bytes) in try LogFiles.contents(service.dataDirectory) {
            for secret in ["zoe@", "5105105105105100"] {
                #expect(bytes.firstRange(of: Array(secret.utf8)) == nil, "\(secret) in \(place)")
            }
        }
    }

    @Test func `mask and its explanation use the configuration`() throws {
        let directory = try TemporaryDirectory()
        try directory.write(
            "millrace.yaml",
            #"""
            port: 1
            mask:
              forms: { email: hash }
              hash-key-id: k9
              rules:
                customer: { pattern: '\bC-\d{6}\b', context: [customer] }
            """#)
        try directory.write("in", "customer C-904711 zoe@example.org\npart C-904711\n")
        func run(_ arguments: [String]) throws -> String {
            let output = directory.file("out\(arguments.count)")
            let process = try ChildProcess(
                [
                    "/bin/sh", "-c", "exec \"$0\" mask \"$@\" < \(directory.file("in"))",
                    try MillraceBinary.path(), "--config", directory.file("millrace.yaml"),
                ] + arguments,
                environment: ["MILLRACE_MASK_HASH_KEY": "0123456789abcdef0123"],
                output: output, errors: directory.file("err"))
            #expect(process.exit(within: .seconds(30) * slowness) == .exited(0))
            return FileSystem.text(output)
        }
        let masked = try run([])
        #expect(masked.hasPrefix("customer [CUSTOMER] [EMAIL:k9:"), "\(masked)")
        #expect(masked.hasSuffix("]\npart C-904711\n"), "\(masked)")
        let told = try run(["--explain"])
        #expect(
            told == "line 1, bytes 9 to 17: customer (own pattern), redact\n"
                + "line 1, bytes 18 to 33: email (address grammar), hash\n")
    }

    @Test func `check says where masking is wrong, and print-config hides the key`() throws {
        let directory = try TemporaryDirectory()
        func check(_ yaml: String, _ arguments: [String]) throws -> (ProcessEnding?, String) {
            try directory.write("millrace.yaml", yaml)
            let output = directory.file("out\(arguments.count)")
            let process = try ChildProcess(
                [try MillraceBinary.path(), "check", "--config", directory.file("millrace.yaml")]
                    + ["--data-dir", directory.file("data")] + arguments,
                environment: ["MILLRACE_MASK_HASH_KEY": "0123456789abcdef0123"],
                output: output, errors: output)
            return (process.exit(within: .seconds(30) * slowness), FileSystem.text(output))
        }
        let wrong = try check("mask:\n  rules:\n    a:\n      pattern: '(x'\n", [])
        #expect(wrong.0 == .exited(78))
        #expect(wrong.1.contains("millrace.yaml:4"), "\(wrong.1)")
        let right = try check("mask: { forms: { email: hash } }", ["--print-config"])
        #expect(right.0 == .exited(0) && right.1.contains("mask-hash-key "), "\(right.1)")
        #expect(right.1.contains("mask-forms-email") && right.1.contains("hash"))
        #expect(!right.1.contains("0123456789abcdef"))
    }
}
