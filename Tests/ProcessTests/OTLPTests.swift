import OTLPMessages
import Primitives
import TestSupport
import Testing

/// `POST /v1/logs` as OTLP's clients see it.
@Suite(.processes) struct OTLPTests {
    private static let protobuf = "application/x-protobuf"

    /// One record with the body `text`.
    private func message(_ text: String) -> [UInt8] {
        var writer = OTLPLogsWriter()
        let body = Bytes(text)
        withExtendedLifetime(body) {
            var record = OTLPLogRecord()
            record.body = body.span
            writer.append(record)
        }
        let message = writer.finish()
        return withExtendedLifetime(message) { Array(message.span) }
    }

    private func status(_ reply: ClientReply) -> Int? {
        // `code` is field 1, below 128.
        reply.body.count > 2 && reply.body[0] == 8 ? Int(reply.body[1]) : nil
    }

    @Test func `a request is answered in its own encoding, whatever its parameters`() throws {
        let service = try RunningService.start()
        for type in [OTLPTests.protobuf, "Application/X-Protobuf; charset=utf-8"] {
            let reply = try service.post("/v1/logs", message("one"), type: type)
            #expect(reply.status == 200 && reply.body.isEmpty)
            #expect(reply.header("Content-Type") == OTLPTests.protobuf)
        }
        for body in ["{}", #"{"resourceLogs":[]}"#, "\u{FEFF}{}"] {
            let reply = try service.post(
                "/v1/logs", Array(body.utf8), type: "application/json; charset=utf-8")
            #expect(reply.status == 200 && reply.text == "{}")
            #expect(reply.header("Content-Type") == "application/json")
        }
        #expect(try service.post("/v1/logs", [], type: OTLPTests.protobuf).status == 200)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `a refusal is a Status in the encoding of the request`() throws {
        let service = try RunningService.start()
        let binary = try service.post("/v1/logs", [0xFF], type: OTLPTests.protobuf)
        #expect(binary.status == 400 && status(binary) == 3)
        #expect(binary.header("Content-Type") == OTLPTests.protobuf)
        let json = try service.post("/v1/logs", json: "{")
        #expect(json.status == 400)
        #expect(json.header("Content-Type") == "application/json")
        #expect(try json.json()["code"]?.integer == 3)
        #expect(try json.json()["message"]?.string?.isEmpty == false)
        let unknown = try service.post("/v1/logs", [1], type: "text/plain")
        #expect(unknown.status == 415)
        #expect(try unknown.json()["code"]?.integer == 3)
        let parameter = try service.post("/v1/logs?x=1", json: "{}")
        #expect(parameter.status == 400)
        #expect(try parameter.json()["code"]?.integer == 3)
        let coding = try service.post(
            "/v1/logs", [1], type: OTLPTests.protobuf, headers: ["Content-Encoding": "br"])
        #expect(coding.status == 415 && status(coding) == 3)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `who may not send is told so before the body, as a Status`() throws {
        let keyed = try KeyedService([PlantedKey.everything])
        let service = keyed.service
        service.headers.withLock { $0 = [:] }
        let binary = try service.post("/v1/logs", message("x"), type: OTLPTests.protobuf)
        #expect(binary.status == 401 && status(binary) == 16)
        #expect(binary.header("WWW-Authenticate") != nil)
        let json = try service.post("/v1/logs", json: "{}")
        #expect(json.status == 401)
        #expect(try json.json()["code"]?.integer == 16)
        service.headers.withLock { $0 = PlantedKey.everything.header }
        #expect(try service.post("/v1/logs", json: "{}").status == 200)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `limits are told as a Status too`() throws {
        let service = try RunningService.start(["--body-limit", "1KiB"])
        let body = [UInt8](repeating: 0, count: 4096)
        let reply = try service.post("/v1/logs", body, type: OTLPTests.protobuf)
        #expect(reply.status == 413 && status(reply) == 8)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `records that lie too deep are counted in the answer, and the others taken`() throws
    {
        let service = try RunningService.start()
        let deep =
            String(repeating: #"{"arrayValue":{"values":["#, count: 40) + "{}"
            + String(repeating: "]}}", count: 40)
        let reply = try service.post(
            "/v1/logs",
            json: #"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":\#(deep)},{}]}]}]}"#)
        #expect(reply.status == 200)
        let partial = try reply.json()["partialSuccess"]
        #expect(partial?["rejectedLogRecords"]?.string == "1")
        #expect(partial?["errorMessage"]?.string?.isEmpty == false)
        #expect(try service.terminate() == .exited(0))
    }

    @Test(arguments: [("search", 4000), ("files", 1000)])
    func `a large resource above many records takes its memory once`(
        store: String, count: Int
    ) throws {
        let service = try RunningService.start(["--logs-store", store])
        let filler = String(repeating: "x", count: 200_000)
        let records = String(repeating: "{},", count: count - 1) + "{}"
        let before = service.residentBytes
        let reply = try service.post(
            "/v1/logs",
            json: #"{"resourceLogs":[{"resource":{"attributes":[{"key":"filler","value":"#
                + #"{"stringValue":"\#(filler)"}}]},"scopeLogs":[{"logRecords":[\#(records)]}]}]}"#)
        #expect(reply.status == 200)
        // What they would take with a resource each is bounded.
        let partial = try reply.json()["partialSuccess"]
        let rejected = Int(partial?["rejectedLogRecords"]?.string ?? "0") ?? -1
        #expect(store == "files" ? rejected == 0 : (1300..<1400).contains(rejected))
        var most = service.residentBytes
        try service.wait(until: "all are written") {
            most = max(most, service.residentBytes)
            return try service.get("/status").json()["logs"]?["stored"]?.integer
                == count - rejected
        }
        #expect(most - before < 150 << 20, "\((most - before) >> 20) MiB")
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `a time that cannot be is left out, and does no harm`() throws {
        let service = try RunningService.start()
        for time in ["-1", "9223372036854775807", "18446744073709551615", "4102444800000000000"] {
            let reply = try service.post(
                "/v1/logs",
                json: #"{"resourceLogs":[{"scopeLogs":[{"logRecords":["#
                    + #"{"timeUnixNano":"\#(time)","body":{"stringValue":"late"}},"#
                    + #"{"observedTimeUnixNano":1700000000000000000,"#
                    + #""body":{"stringValue":"fine"}}]}]}]}"#)
            #expect(reply.status == 200)
            let partial = try reply.json()["partialSuccess"]
            #expect(partial?["rejectedLogRecords"]?.string == "1", "\(time)")
        }
        try service.wait(until: "the others are found") {
            try service.get("/logs?q=fine").json()["records"]?.elements.count == 4
        }
        #expect(try service.get("/logs?q=late").json()["records"]?.elements.isEmpty == true)
        #expect(try service.terminate() == .exited(0))
    }

    @Test(arguments: [[], ["gzip"]])
    func `what OpenTelemetry's own SDK sends is found again and sent on with nothing lost`(
        options: [String]
    ) throws {
        let receiver = try OTLPReceiver()
        let folder = try TemporaryDirectory()
        try folder.write(
            "millrace.yaml", "log-forwards:\n  far: { url: \"\(receiver.url)\" }\n")
        let service = try RunningService.start(["--config", folder.file("millrace.yaml")])
        let sent = try ForeignClient.run(
            "otlp_sender.py", ["http://127.0.0.1:\(service.port)", "1200"] + options)
        #expect(sent["failures"]?.integer == 0)
        try service.wait(until: "all arrive") { receiver.taken.count >= 1200 }
        let taken = receiver.taken.sorted { $0.time < $1.time }
        #expect(taken.map(\.body) == (0..<1200).map { "cart is full é \($0)" })
        let record = taken[7]
        #expect(record.severity == 13 && record.service == "stranger")
        #expect(record.time == 1_700_000_000_007_000_000)
        #expect(record.eventName == "cart.full")
        #expect(record.resource.contains(#""service.version":"4.5""#))
        let attributes = try JSONTree.parse(record.attributes)
        #expect(attributes["number"]?.integer == 7)
        #expect(attributes["paid"] == .bool(true))
        #expect(attributes["items"]?.array == [.string("a"), .string("b")])
        #expect(!record.attributes.contains("4111 1111"))
        let (trace, span) = (sent["trace_id"]?.string ?? "", sent["span_id"]?.string ?? "")
        #expect(
            record.traceID.map { [$0.high, $0.low] }
                == [UInt64(trace.prefix(16), radix: 16), UInt64(trace.suffix(16), radix: 16)])
        #expect(record.spanID == UInt64(span, radix: 16))
        try expectFound(service, trace: trace, span: span)
        #expect(try service.terminate() == .exited(0))
    }

    /// All 1,200 records, with everything that the SDK's program gave them.
    private func expectFound(_ service: RunningService, trace: String, span: String) throws {
        let path = "/logs?service=stranger&level=warn&limit=1000&trace_id=\(trace)"
        var records: [JSONTree] = []
        try service.wait(until: "all are found") {
            let first = try service.get(path).json()
            records = first["records"]?.elements ?? []
            guard let next = first["next"]?.string else { return false }
            records += try service.get("\(path)&cursor=\(next)").json()["records"]?.elements ?? []
            return records.count >= 1200
        }
        #expect(
            records.map { $0["message"]?.string }
                == (0..<1200).reversed().map { "cart is full é \($0)" })
        let record = try #require(records.last)
        #expect(record["time"]?.string?.hasPrefix("2023-11-14T22:13:20") == true)
        #expect(record["level"]?.string == "warn" && record["severity"]?.integer == 13)
        #expect(record["severity_text"]?.string == "WARN")
        #expect(record["trace_id"]?.string == trace && record["span_id"]?.string == span)
        #expect(record["event_name"]?.string == "cart.full")
        #expect(record["resource"]?["service.version"]?.string == "4.5")
        #expect(record["resource"]?["host.name"]?.string == "box")
        #expect(
            record["scope"] == .object(["name": .string("shop.cart"), "version": .string("0.9")]))
        #expect(record["attributes"]?["number"]?.integer == 0)
        #expect(record["attributes"]?["ratio"]?.number == 0.5)
        #expect(record["attributes"]?["items"]?.array == [.string("a"), .string("b")])
        #expect(record["attributes"]?["card"]?.string?.contains("4111") == false)
        #expect(record["masked"]?.bool == true)
    }

    @Test func `the service's own log goes to a collector`() throws {
        let receiver = try OTLPReceiver()
        let service = try RunningService.start([
            "--otlp-endpoint", receiver.endpoint, "--otlp-headers", "x-key=abc", "--node", "n7",
        ])
        #expect(try service.terminate() == .exited(0))
        let taken = receiver.taken
        let said = service.output.split(separator: "\n").count
        #expect(taken.count == said)
        #expect(taken.contains { $0.body == "listening" } && taken.last?.body == "stopped")
        #expect(
            taken.allSatisfy {
                $0.service == "millrace" && $0.resource.contains(#""service.instance.id":"n7""#)
            })
        #expect(receiver.heads.allSatisfy { $0.contains("x-key: abc") })
    }
}
