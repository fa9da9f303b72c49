internal import Glibc
import Primitives
import TestSupport
import Testing

/// The service's own log, seen from outside.
@Suite(.processes) struct LogProcessTests {
    private func put(_ service: RunningService, _ json: String) throws -> ClientReply {
        try service.request(
            "PUT", "/log-level", headers: ["Content-Type": "application/json"],
            body: Array(json.utf8))
    }

    private func records(_ text: String, of message: String) throws -> [JSONTree] {
        try text.split(separator: "\n").map { try JSONTree.parse($0) }
            .filter { $0["message"]?.string == message }
    }

    @Test func `SIGTERM loses no record, neither on stdout nor in the file`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("millrace.log")
        let service = try RunningService.loggingAll(["--log-file", path])
        for _ in 0..<200 { _ = try service.get("/nowhere") }
        #expect(try service.terminate() == .exited(0))
        let file = FileSystem.text(path)
        for text in [service.output, file] {
            #expect(text.hasSuffix("\n"))
            let found = try records(text, of: "request").filter { $0["status"]?.integer == 404 }
            #expect(found.count == 200)
            #expect(Set(found.compactMap { $0["request_id"]?.string }).count == 200)
            #expect(found.allSatisfy { $0["trace_id"]?.string?.count == 32 })
            #expect(try records(text, of: "stopped").count == 1)
        }
        #expect(file == service.output)
    }

    @Test func `kill -9 leaves whole lines of JSON, but for the last`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("millrace.log")
        let service = try RunningService.loggingAll(["--log-file", path])
        for _ in 0..<300 { _ = try service.get("/nowhere") }
        service.kill()
        let text = FileSystem.text(path)
        let whole = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        #expect(!whole.isEmpty)
        for line in whole { #expect((try? JSONTree.parse(line)) != nil, "\(line)") }
    }

    @Test func `a fault lets what the rings hold be written`() throws {
        let service = try RunningService.loggingAll()
        // A request is logged once its reply has left: that of the last has when the next is answered.
        let client = try service.connect()
        for _ in 0..<20 { #expect(try client.ask("GET", "/nowhere").status == 404) }
        #expect(try client.ask("GET", "/healthz").status == 200)
        service.send(SIGABRT)
        #expect(service.process.exit(within: .seconds(30)) != .exited(0))
        let requests = try records(service.output, of: "request")
        #expect(requests.count { $0["status"]?.integer == 404 } == 20)
    }

    @Test func `the level changes while it runs: by request and by signal`() throws {
        let service = try RunningService.loggingAll(["--log-level", "info"])
        #expect(try service.get("/log-level").json()["level"] == .string("info"))
        let reply = try put(service, #"{"level":"warn"}"#)
        #expect(reply.status == 200)
        #expect(try reply.json()["level"] == .string("warning"))
        for body in [#"{"level":"loud"}"#, #"{"level":1}"#, #"{"level":"info","x":1}"#, "[]"] {
            #expect(try put(service, body).status == 422)
        }
        #expect(try put(service, "{").status == 400)
        #expect(try put(service, "\u{FEFF}{\"level\":\"warn\"}").status == 200)
        func level() throws -> String? {
            try service.get("/status").json()["logger"]?["level"]?.string
        }
        #expect(try level() == "warning")
        service.send(SIGUSR1)
        try service.wait(until: "it says more") { try level() == "notice" }
        service.send(SIGUSR2)
        try service.wait(until: "it says less") { try level() == "warning" }
        #expect(try service.terminate() == .exited(0))
        let changes = try records(service.output, of: "the log's level was changed")
        #expect(changes.map { $0["to"]?.string } == ["warning", "notice", "warning"])
        #expect(try records(service.output, of: "stopped").isEmpty, "a notice is below the level")
    }

    @Test func `SIGHUP goes on with a new file after the old one was renamed`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("millrace.log")
        let service = try RunningService.loggingAll(["--log-file", path])
        try service.wait(until: "it has begun") {
            FileSystem.text(path).contains("listening")
        }
        #expect(rename(path, path + ".old") == 0)
        service.send(SIGHUP)
        // The handler runs on another thread than requests.
        try service.wait(until: "the new file has lines") {
            _ = try service.get("/nowhere")
            return FileSystem.text(path).contains("request")
        }
        #expect(try service.terminate() == .exited(0))
        let both = FileSystem.text(path + ".old") + FileSystem.text(path)
        #expect(both == service.output)
    }

    @Test func `a log file that cannot be written ends the start with its reason`() throws {
        let directory = try TemporaryDirectory()
        let process = try ChildProcess(
            [
                try MillraceBinary.path(), "serve", "--port", "0", "--data-dir",
                directory.file("data"), "--log-file", "/nowhere/at/all.log",
            ], output: directory.file("out"), errors: directory.file("err"))
        #expect(process.exit(within: .seconds(30)) == .exited(1))
        #expect(FileSystem.text(directory.file("err")).contains("/nowhere/at/all.log"))
    }

    @Test func `a stdout that nobody reads slows no request`() throws {
        let directory = try TemporaryDirectory()
        let slowest = try PipedService(directory).ask(3000)
        print("3,000 requests with a blocked stdout: the slowest took \(slowest)")
        #expect(slowest < .seconds(1) * slowness)
    }
}
