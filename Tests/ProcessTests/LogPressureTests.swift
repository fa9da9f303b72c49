internal import Glibc
import Primitives
import TestSupport
import Testing

/// Taken-in logs while something is slow, full or killed.
@Suite(.processes) struct LogPressureTests {
    private func lines(_ numbers: Range<Int>, _ filler: String = "") -> [String] {
        numbers.map { #"{"message":"number \#($0) \#(filler)","n":\#($0)}"# }
    }

    private func logs(_ service: RunningService) throws -> JSONTree {
        try service.get("/status").json()["logs"] ?? .null
    }

    /// The numbers of the records in files of lines, each line of which is whole.
    private func numbers(in folder: String) throws -> [Int] {
        try FileSystem.names(in: folder).filter { $0.hasSuffix(".ndjson") }.flatMap { name in
            let text = FileSystem.text(folder + "/" + name)
            #expect(text.isEmpty || text.hasSuffix("\n"))
            return try text.split(separator: "\n").map {
                try #require(try JSONTree.parse($0)["attributes"]?["n"]?.integer)
            }
        }
    }

    @Test func `a tail that comes back gets all that it missed, though others are erased`() throws {
        let service = try RunningService.start()
        #expect(
            try service.post("/logs", json: #"{"message":"x","service":"gone"}"#).status == 202)
        try service.waitUntilLogsAreStored()
        // It is gone before the service ends, which waits for clients that do not read.
        let first = try {
            let tail = try LogTail(service)
            #expect(try service.post("/logs", lines: lines(0..<1)).status == 202)
            return try tail.nextMessage()
        }()
        // 30 MB: more than the sockets and the stream's queue hold.
        let (total, filler) = (301, String(repeating: "lang ", count: 20_000))
        for start in stride(from: 1, to: total, by: 20) {
            #expect(
                try service.post("/logs", lines: lines(start..<start + 20, filler)).status == 202)
            try service.waitUntilLogsAreStored()
        }
        #expect(try service.terminate() == .exited(0))
        let again = try service.startAgain()
        let resumed = try LogTail(again, after: first.id)
        for number in 1..<total {
            let message = try resumed.nextMessage()
            let found = try JSONTree.parse(message.data)["attributes"]?["n"]?.integer
            guard message.event != "dropped", found == number else {
                Issue.record("\(message.event) \(found ?? -1) at \(number)")
                break
            }
            guard number == 1 else { continue }
            // On a busy machine it goes on after its answer.
            let reply = try again.request("DELETE", "/logs?service=gone")
            #expect(try reply.status == 202 || reply.json()["erased"]?.integer == 1)
            try again.wait(until: "it is erased", within: .seconds(60)) {
                try again.get("/logs?service=gone").json()["records"]?.array?.isEmpty == true
            }
        }
        #expect(try again.terminate() == .exited(0))
    }

    @Test func `a tail that reads slowly is told how many records it has missed`() throws {
        let service = try RunningService.start()
        let (slow, quick) = (try LogTail(service), try LogTail(service, "?level=error"))
        // 40 MB: more than the sockets, the stream's queue and the last commits in memory hold.
        let (total, filler) = (400, String(repeating: "lang ", count: 20_000))
        for start in stride(from: 0, to: total, by: 20) {
            let reply = try service.post("/logs", lines: lines(start..<start + 20, filler))
            #expect(try reply.json()["accepted"]?.integer == 20)
            try service.waitUntilLogsAreStored()
        }
        // Meanwhile another one is served.
        #expect(
            try service.post("/logs", json: #"{"message":"end","level":"error"}"#).status == 202)
        #expect(LogTail.text(try quick.nextMessage()) == "end")
        var received = 0
        var (dropped, last) = (0, -1)
        while true {
            let message = try slow.nextMessage()
            if message.event == "dropped" {
                let count = try #require(try JSONTree.parse(message.data)["count"]?.integer)
                dropped += count
                last += count
                continue
            }
            let record = try JSONTree.parse(message.data)
            if record["message"]?.string == "end" { break }
            received += 1
            last += 1
            // What is missing is what it was told of, and where.
            guard record["attributes"]?["n"]?.integer == last else {
                Issue.record("\(record["attributes"] ?? .null) comes after \(last - 1)")
                break
            }
        }
        #expect(dropped > 0 && received + dropped == total)
        print("tail: \(received) of \(total) records received, told of \(dropped) dropped")
        #expect(try logs(service)["tail_dropped"]?.integer == dropped)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `a large body takes no more memory than itself, and gives it back`() throws {
        let service = try RunningService.start(["--body-limit", "32MiB"])
        let zeros = String(repeating: "0,", count: 15_000_000)
        let value = Array(#"{"message":[\#(zeros)0],"x":[{}]}"#.utf8)
        let record = #"{"body":{"stringValue":"\#(String(repeating: "ab", count: 15_000_000))"}}"#
        let log = #"{"resourceLogs":[{"scopeLogs":[{"logRecords":[\#(record)]}]}]}"#
        #expect(try service.post("/logs", json: #"{"message":"warm"}"#).status == 202)
        for (name, target, body, status) in [
            ("OTLP, an unknown member", "/v1/logs", value, 200),
            ("OTLP, a record", "/v1/logs", Array(log.utf8), 200),
            ("a record", "/logs", value, 422),
            ("a line", "/logs", Array("[".utf8) + value + [93], 422),
            ("events", "/events", value, 422),
        ] {
            let before = service.residentBytes
            let highest = Monitor((bytes: 0, isDone: false))
            let watch = Thread(name: "watch") {
                while !highest.withLock({ $0.isDone }) {
                    let now = service.residentBytes
                    highest.withLock { $0.bytes = max($0.bytes, now) }
                    sleep(until: .after(.milliseconds(5)))
                }
            }
            let reply = try service.post(target, body, type: "application/json")
            highest.change { $0.isDone = true }
            watch.join()
            #expect(reply.status == status, "\(name): \(reply.text.prefix(200))")
            let peak = highest.withLock { $0.bytes } - before
            let kept = service.residentBytes - before
            print("30 MB, \(name): \(peak >> 20) MiB at most, \(kept >> 20) MiB kept")
            guard MillraceBinary.isSanitized != true else { continue }
            #expect(peak < (target == "/events" ? 200 : 100) << 20 && kept < 64 << 20, "\(name)")
        }
        #expect(try service.terminate() == .exited(0))
    }

    /// The folder of logs is a disk of its own; the journal and the store have room.
    @Test(
        .enabled(if: SmallDisk.isPossible, "\(SmallDisk.whyNot)"), arguments: ["search", "files"])
    func `a full disk of logs slows no request, and each record is stored or counted`(
        mode: String
    ) throws {
        let (disk, folder) = (try SmallDisk(bytes: 32 << 20), try TemporaryDirectory())
        let data = folder.file("data")
        #expect(mkdir(data, 0o700) == 0 && symlink(disk.path, data + "/logs") == 0)
        let service = try RunningService.start(
            ["--logs-store", mode, "--logs-queue-bytes", "1MiB"], dataDirectory: data)
        var accepted = 0
        let filler = String(repeating: "x", count: 100)
        /// - Returns: false once there is no room.
        func post() throws -> Bool {
            let reply = try service.post("/logs", lines: lines(accepted..<accepted + 100, filler))
            if reply.status == 503 {
                #expect(try reply.json()["code"]?.string == "logs_overloaded")
                #expect(reply.header("Retry-After") == "1")
                return false
            }
            #expect(reply.status == 202)
            accepted += 100
            return true
        }
        for _ in 0..<20 { #expect(try post()) }
        try service.waitUntilLogsAreStored()
        try disk.fill()
        var slowest = Duration.zero
        var isRefused = false
        // Far more than the queue has room for.
        for _ in 0..<150 {
            if !isRefused { isRefused = try !post() }
            let start = MonotonicTime.now()
            #expect(try service.post("/events", json: #"{"type":"a"}"#).status == 202)
            #expect(try service.get("/query?metric=count").status == 200)
            slowest = max(slowest, MonotonicTime.now().since(start))
        }
        print("\(mode): a full disk of logs, the slowest pair of requests took \(slowest)")
        #expect(isRefused && slowest < .seconds(2) * slowness)
        try service.wait(until: "a write has failed") {
            try logs(service)["write_failures"]?.integer ?? 0 > 0
        }
        disk.makeRoom()
        try service.wait(until: "all is written") { try logs(service)["queued"]?.integer == 0 }
        #expect(try logs(service)["stored"]?.integer == accepted)
        #expect(try logs(service)["lost"]?.integer == 0)
        // What cannot be written at the end is counted in the log itself.
        try disk.fill()
        for _ in 0..<5 { #expect(try post()) }
        #expect(try service.terminate() == .exited(0))
        let lost = service.records.filter { $0["message"]?.string == "logs were lost" }
            .compactMap { $0["records"]?.integer }.reduce(0, +)
        #expect(lost > 0)
        disk.makeRoom()
        let again = try service.startAgain()
        if mode == "search" {
            let counts = try again.get("/logs/histogram?interval=1d").json()["buckets"]?.elements
            #expect(
                counts?.compactMap { $0["count"]?.integer }.reduce(0, +) == accepted - lost)
        } else {
            #expect(try again.terminate() == .exited(0))
            #expect(try numbers(in: disk.path).count == accepted - lost)
        }
    }

    @Test(arguments: ["search", "files"])
    func `logs of today that take all they may are refused, and none of them is dropped`(
        mode: String
    ) throws {
        let service = try RunningService.start([
            "--logs-store", mode, "--logs-max-bytes", "16MiB",
        ])
        let filler = String(repeating: "some words of a message ", count: 150)
        var accepted = 0
        var refusal: ClientReply?
        // 60 MB, and a record whose sender's clock is ahead.
        while accepted < 15_000, refusal == nil {
            let reply = try service.post("/logs", lines: lines(accepted..<accepted + 200, filler))
            if reply.status == 202 {
                accepted += 200
                try service.waitUntilLogsAreStored()
            } else {
                refusal = reply
            }
            if accepted == 200 {
                let time = Timestamp.format(WallClock.nowMilliseconds() + 80_000_000)
                let ahead = #"{"message":"ahead","n":-1,"time":"\#(time)"}"#
                #expect(try service.post("/logs", json: ahead).status == 202)
            }
        }
        print("\(mode): refused after \(accepted) records of 3.6 KB")
        #expect(refusal?.status == 503)
        #expect(try refusal?.json()["code"]?.string == "logs_at_cap")
        let otlp = try service.post(
            "/v1/logs", Array(#"{"resourceLogs":[]}"#.utf8), type: "application/json")
        #expect(otlp.status == 503)
        // All that was accepted is there.
        #expect(try logs(service)["stored"]?.integer == accepted + 1)
        #expect(try logs(service)["too_old"]?.integer == 0)
        if mode == "search" {
            let counts = try service.get("/logs/histogram?interval=1d&from=-2d").json()
            #expect(
                counts["buckets"]?.elements.compactMap { $0["count"]?.integer }.reduce(0, +)
                    == accepted + 1)
        }
        #expect(try service.terminate() == .exited(0))
        if mode == "files" {
            #expect(try numbers(in: service.dataDirectory + "/logs").count == accepted + 1)
        }
    }

    @Test func `kill -9 while lines are written leaves whole records, and those of before`() throws
    {
        let service = try RunningService.start(["--logs-store", "files"])
        #expect(try service.post("/logs", lines: lines(0..<1000)).status == 202)
        try service.waitUntilLogsAreStored()
        let accepted = Locked(1000)
        let clients = (0..<3).map { _ in
            Thread(name: "client") {
                while true {
                    let start = accepted.withLock { next in
                        defer { next += 500 }
                        return next
                    }
                    let sent = self.lines(start..<start + 500)
                    guard (try? service.post("/logs", lines: sent))?.status == 202 else { return }
                }
            }
        }
        usleep(600_000)
        service.kill()
        for client in clients { client.join() }
        // The next start takes off what the kill has cut.
        let again = try service.startAgain()
        #expect(try again.post("/logs", lines: lines(-1..<0)).status == 202)
        #expect(try again.terminate() == .exited(0))
        let found = try numbers(in: service.dataDirectory + "/logs")
        #expect(Set(found).count == found.count, "none is there twice")
        #expect(Set(-1..<1000).isSubset(of: found) && found.last == -1)
        print("kill -9: \(found.count - 1) records of some \(accepted.withLock { $0 }) sent")
    }
}
