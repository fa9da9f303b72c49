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
