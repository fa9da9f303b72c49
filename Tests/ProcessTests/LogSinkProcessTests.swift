internal import Glibc
import Primitives
import ProcessSupport
import TestSupport
import Testing

/// What becomes of log records under load, on a full disk and over time, seen from outside.
@Suite(.processes) struct LogSinkProcessTests {
    /// Requests that are records, on one connection.
    /// - Returns: what the slowest took.
    @discardableResult
    private func ask(_ service: RunningService, _ count: Int) throws -> Duration {
        try service.connect().ask(count)
    }

    private func numberOfRequests(_ text: String) throws -> Int {
        try text.split(separator: "\n").map { try JSONTree.parse($0) }
            .count { $0["message"]?.string == "request" && $0["status"]?.integer == 404 }
    }

    private func gunzip(_ directory: TemporaryDirectory, _ name: String) throws -> String {
        let child = try ChildProcess(
            ["gzip", "-dc", directory.file(name)], output: directory.file("unpacked-\(name)"),
            errors: directory.file("err"))
        #expect(child.exit(within: .seconds(20) * slowness) == .exited(0))
        return FileSystem.text(directory.file("unpacked-\(name)"))
    }

    @Test func `the log file is put aside, compressed and complete, and old ones go`() throws {
        let directory = try TemporaryDirectory()
        let arguments = [
            "--log-file", directory.file("m.log"), "--log-file-max-bytes", "64KiB",
        ]
        let service = try RunningService.loggingAll(arguments + ["--log-file-keep", "1000"])
        for _ in 0..<4 { try ask(service, 500) }
        #expect(try service.terminate() == .exited(0))
        let aside = directory.names.filter { $0.hasPrefix("m.log.2") }.sorted()
        #expect(aside.count >= 4)
        var found = ""
        // The end may have come while one was compressed: it is still there as it was.
        for name in aside where !name.hasSuffix(".tmp") && !aside.contains(name + ".gz") {
            found +=
                name.hasSuffix(".gz")
                ? try gunzip(directory, name) : FileSystem.text(directory.file(name))
        }
        found += FileSystem.text(directory.file("m.log"))
        #expect(found == service.output)
        #expect(try numberOfRequests(found) == 2000)
        let next = try service.startAgain(
            ["--access-log", "all"] + arguments + ["--log-file-keep", "2"])
        try next.wait(until: "two are left") {
            directory.names.filter { $0.hasPrefix("m.log.2") }.count == 2
        }
        #expect(try next.terminate() == .exited(0))
        let last = try next.startAgain(
            ["--access-log", "all"] + arguments + ["--log-file-keep-age", "1s"])
        try last.wait(until: "none is left") {
            // Their age is looked at as records come.
            try ask(last, 1)
            return directory.names.filter { $0.hasPrefix("m.log.2") }.isEmpty
        }
        #expect(try last.terminate() == .exited(0))
    }

    @Test func `many alike are sampled, and the next one says how many were not kept`() throws {
        let service = try RunningService.loggingAll([
            "--log-sample-first", "5", "--log-sample-every", "100",
        ])
        try ask(service, 1000)
        func kept() -> Int { service.records.count { $0["status"]?.integer == 404 } }
        try service.wait(until: "all are written or counted") {
            let dropped = try service.get("/status").json()["logger"]?["dropped"]
            return (dropped?["sampled"]?.integer ?? 0) + kept() >= 1000
        }
        #expect(try service.terminate() == .exited(0))
        #expect((14...400).contains(kept()), "\(kept())")
        #expect(service.records.contains { ($0["sampled_out"]?.integer ?? 0) > 0 })
    }

    @Test func `kill -9 under load leaves whole lines, and all that was written long before`()
        throws
    {
        let directory = try TemporaryDirectory()
        let service = try RunningService.loggingAll(["--log-file", directory.file("m.log")])
        try ask(service, 200)
        usleep(300_000)
        let isOver = Locked(false)
        let clients = (0..<4).map { _ in
            Thread(name: "client") {
                while !isOver.withLock({ $0 }), (try? self.ask(service, 50)) != nil {}
            }
        }
        usleep(300_000)
        service.kill()
        isOver.withLock { $0 = true }
        for client in clients { client.join() }
        for text in [FileSystem.text(directory.file("m.log")), service.output] {
            let whole = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            for line in whole { #expect((try? JSONTree.parse(line)) != nil, "\(line)") }
            #expect(try numberOfRequests(whole.joined(separator: "\n")) >= 200)
        }
    }

    @Test(.enabled(if: SmallDisk.isPossible, "\(SmallDisk.whyNot)"))
    func `a full disk slows no request, and every record is written or counted`() throws {
        let disk = try SmallDisk(bytes: 2 << 20)
        let path = disk.path + "/m.log"
        let service = try RunningService.loggingAll(["--log-file", path])
        try disk.fill()
        let slowest = try ask(service, 2000)
        print("2,000 requests with a full log disk: the slowest took \(slowest)")
        #expect(slowest < .seconds(3) * slowness)
        func file() throws -> JSONTree? {
            try service.get("/status").json()["logger"]?["sinks"]?["file"]
        }
        try service.wait(until: "the sink says so") {
            try file()?["state"]?.string == "failing"
        }
        #expect(try file()?["error"]?.string?.contains("space") == true)
        disk.makeRoom()
        try service.wait(until: "it writes again") { try file()?["state"]?.string == "ok" }
        #expect(try service.terminate() == .exited(0))
        #expect(try numberOfRequests(service.output) == 2000)
        let text = FileSystem.text(path)
        #expect(text.hasSuffix("\n"))
        #expect(try numberOfRequests(text) == 2000, "they waited for room")
    }

    @Test func `what finds no room is dropped, counted, and told in the log itself`() throws {
        let directory = try TemporaryDirectory()
        let service = try PipedService(directory)
        let deadline = Deadline.after(.seconds(120) * slowness)
        // 4 MiB wait for the pipe at most, with a ring of 640 KiB before them: some 25,000 records.
        var asked = 1
        var dropped = 0
        while dropped == 0, !deadline.hasPassed {
            try service.ask(2000)
            asked += 2000
            dropped = try service.status()["logger"]?["dropped"]?["queue_full"]?.integer ?? 0
        }
        #expect(dropped > 0)
        while !String(decoding: service.output, as: UTF8.self).contains("log records were dropped"),
            !deadline.hasPassed
        {
            service.drain()
            usleep(10_000)
        }
        var waiting = Int.max
        while waiting > 16 << 10, !deadline.hasPassed {
            service.drain()
            waiting = try service.status()["logger"]?["queued_bytes"]?.integer ?? 0
        }
        service.process.send(SIGTERM)
        var ending: ProcessEnding?
        while ending == nil, !deadline.hasPassed {
            service.drain()
            ending = service.process.exit(within: .milliseconds(20))
        }
        service.drain()
        let records = try String(decoding: service.output, as: UTF8.self).split(separator: "\n")
            .map { try JSONTree.parse($0) }
        let lost = records.filter { $0["message"]?.string == "log records were dropped" }
            .reduce(0) { $0 + ($1["queue_full"]?.integer ?? 0) }
        let written = records.count { $0["status"]?.integer == 404 }
        print("\(asked) requests, \(written) records written, \(lost) told as dropped")
        // Requests for the status are records as well, and may be among the dropped.
        #expect((asked...asked + asked / 2000).contains(written + lost))
    }
}
