internal import Glibc
import Primitives
import Testing
import TestSupport

/// What operators see: health, figures, start and refusal.
@Suite(.processes) struct OperationTests {
    @Test func `metrics are strict Prometheus text and count what happened`() throws {
        let service = try RunningService.start()
        _ = try service.post("/events?ack=stored", json: #"[{"type":"a"},{"type":"b"},{}]"#)
        _ = try service.get("/query?metric=count")
        _ = try service.get("/secret-path")
        let reply = try service.get("/metrics")
        #expect(reply.header("Content-Type")?.hasPrefix("text/plain; version=0.0.4") == true)
        let metrics = try PrometheusText(reply.text)
        func value(_ name: String) -> Double? { metrics.families[name]?.samples[name] }
        #expect(value("millrace_events_accepted_total") == 2)
        #expect(value("millrace_events_rejected_total") == 1)
        #expect(value("millrace_events_stored_total") == 2)
        #expect(value("millrace_store_rows") == 2)
        #expect(value("millrace_journal_ok") == 1 && value("millrace_store_ok") == 1)
        #expect(metrics.families["http_server_request_duration_seconds"]?.type == "histogram")
        #expect(!reply.text.contains("secret-path"))
    }

    @Test func `status has what the contract lists`() throws {
        let service = try RunningService.start(["--journal-sync", "interval"])
        _ = try service.post("/events?ack=stored", json: #"{"type":"a"}"#)
        let status = try service.get("/status").json()
        #expect(status["version"]?.string?.isEmpty == false)
        #expect(status["uptime_seconds"]?.number ?? -1 >= 0)
        #expect(status["draining"] == .bool(false))
        #expect(status["durability"]?["journal_sync"] == .string("interval"))
        #expect(status["durability"]?["journal_sync_interval_ms"] == .integer(100))
        for name in ["bytes", "max_bytes", "segments", "unstored", "failures"] {
            #expect(status["journal"]?[name]?.integer ?? -1 >= 0, "\(name)")
        }
        #expect(status["journal"]?["state"] == .string("ok"))
        #expect(status["journal"]?["damage"]?["damaged_records"] == .integer(0))
        #expect(status["store"]?["rows"] == .integer(1))
        #expect(status["store"]?["set_aside"] == .array([]))
        #expect(status["logger"]?["dropped"]?.object != nil)
        #expect(status["breakers"]?.object != nil)
    }

    @Test func `the contract is compressed once and not sent to who has it`() throws {
        let service = try RunningService.start()
        let plain = try service.get("/openapi.yaml")
        let packed = try service.get("/openapi.yaml", headers: ["Accept-Encoding": "gzip"])
        #expect(plain.header("Content-Encoding") == nil)
        #expect(packed.header("Content-Encoding") == "gzip")
        #expect(packed.body.count < plain.body.count / 3)
        for reply in [plain, packed] {
            #expect(reply.status == 200 && reply.header("Vary") == "Accept-Encoding")
            #expect(reply.header("Content-Type") == "application/yaml")
        }
        let tags = [plain, packed].compactMap { $0.header("ETag") }
        #expect(Set(tags).count == 2)
        let client = try service.connect()
        try client.send("GET", "/openapi.yaml", ["If-None-Match: \(tags[0])"])
        let known = try client.receive(toHead: true)
        #expect(known.status == 304 && known.header("ETag") == tags[0])
        #expect(try service.get("/openapi.yaml?x=1").status == 400)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `lists in headers that nobody needs so long say nothing`() throws {
        let service = try RunningService.start()
        let question = "/query?metric=count&from=-1h"
        let filler = (0..<64).map { "x\($0)" }.joined(separator: ",")
        func status(_ name: String, _ value: String) throws -> Int {
            try service.get(question, headers: [name: value]).status
        }
        #expect(try status("Cache-Control", "only-if-cached") == 504)
        #expect(try status("Cache-Control", "\(filler),only-if-cached") == 200)
        #expect(try status("Accept", "image/png") == 406)
        #expect(try status("Accept", "\(filler),image/png") == 200)
        let tag = try #require(try service.get(question).header("ETag"))
        #expect(try status("If-None-Match", "\(filler),\(tag)") == 200)
        let reply = try service.request(
            "POST", "/events",
            headers: ["Content-Type": "application/json", "Content-Encoding": filler + ",gzip"],
            body: Array(#"{"type":"a"}"#.utf8))
        #expect(reply.status == 415)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `a second process on the same data is refused and does no harm`() throws {
        let service = try RunningService.start()
        let output = service.directory.file("second")
        let second = try ChildProcess(
            [try MillraceBinary.path(), "serve", "--port", "0"]
                + ["--data-dir", service.dataDirectory], output: output, errors: output)
        let status = second.exit(within: .seconds(30))
        let said = FileSystem.text(output)
        #expect(status != nil && status != .exited(0))
        #expect(said.contains("in use by process \(service.pid)"), "\(said)")
        #expect(said.contains("--data-dir"), "\(said)")
        #expect(try service.post("/events?ack=stored", json: #"{"type":"a"}"#).status == 200)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `a port that is taken is refused by name`() throws {
        let service = try RunningService.start()
        let output = service.directory.file("second")
        let second = try ChildProcess(
            [try MillraceBinary.path(), "serve", "--port", "\(service.port)"]
                + ["--data-dir", service.directory.file("other")], output: output, errors: output)
        #expect(second.exit(within: .seconds(30)) == .exited(1))
        let said = FileSystem.text(output)
        #expect(said.contains("\(service.port)") && said.contains("--port"), "\(said)")
    }

    @Test func `it says how long it takes to start and how much memory it idles with`() throws {
        let start = MonotonicTime.now()
        let service = try RunningService.start()
        let started = MonotonicTime.now().since(start)
        let idle = service.residentBytes
        let isRelease = try MillraceBinary.path().contains("/release/")
        print(
            "first 200 after \(started.wholeMilliseconds) ms; idle \(idle >> 10) KiB resident; "
                + (isRelease ? "release" : "debug"))
        if isRelease { #expect(idle <= 30 << 20) }
    }
}
