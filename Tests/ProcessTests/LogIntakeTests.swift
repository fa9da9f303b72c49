import Primitives
import TestSupport
import Testing

/// `POST /logs`, `GET /logs` and their like, through the front door.
@Suite(.processes) struct LogIntakeTests {
    @Test func `logs are posted in every form, and found again`() throws {
        let service = try RunningService.start()
        let one = try service.post(
            "/logs", json: #"{"message":"one","level":"warn","service":"shop","user":"u-77"}"#)
        #expect(one.status == 202)
        #expect(
            try one.json()
                == JSONTree.parse(
                    #"{"accepted":1,"rejected":0,"errors":[],"errors_truncated":false}"#))
        let array = try service.post("/logs", json: #"[{"message":"two"},{"message":"three"}]"#)
        #expect(try array.json()["accepted"]?.integer == 2)
        let lines = try service.post("/logs", lines: [#"{"message":"four"}"#, "no json", "{}"])
        #expect(try lines.status == 202 && lines.json()["rejected"]?.integer == 2)
        #expect(
            try lines.json()["errors"]?.elements.map { $0["code"]?.string } == [
                "invalid_json", "missing_message",
            ])
        #expect(try lines.json()["errors"]?[0]?["line"]?.integer == 2)
        try service.waitUntilLogsAreStored()
        let all = try service.get("/logs").json()
        #expect(
            all["records"]?.elements.compactMap { $0["message"]?.string } == [
                "four", "three", "two", "one",
            ])
        #expect(all["next"] == .null)
        let found = try service.get("/logs?q=u-77&level=warn&service=shop").json()
        let record = try #require(found["records"]?[0])
        #expect(record["message"]?.string == "one" && record["level"]?.string == "warn")
        #expect(record["severity"]?.integer == 13)
        #expect(record["attributes"] == .object(["user": .string("u-77")]))
        let page = try service.get("/logs?limit=3").json()
        let next = try #require(page["next"]?.string)
        #expect(
            try service.get("/logs?limit=3&cursor=\(next)").json()["records"]?.elements.count == 1)
        let histogram = try service.get("/logs/histogram?interval=1d").json()
        #expect(
            histogram["buckets"]?.elements.compactMap { $0["count"]?.integer }
                .reduce(0, +) == 4)
        let facets = try service.get("/logs/facets?field=service").json()
        #expect(facets["values"]?[0] == .object(["value": .string("shop"), "count": .integer(1)]))
        let status = try service.get("/status").json()["logs"]
        #expect(status?["accepted"]?.integer == 4 && status?["rejected"]?.integer == 2)
        #expect(status?["stored"]?.integer == 4 && status?["queued"]?.integer == 0)
    }

    @Test func `a wrong parameter is named`() throws {
        let service = try RunningService.start()
        for (target, name) in [
            ("/logs?level=loud", "level"), ("/logs?limit=0", "limit"), ("/logs?cursor=x", "cursor"),
            ("/logs?trace_id=12", "trace_id"), ("/logs?from=now&to=-1h", "from"),
            ("/logs?service=", "service"), ("/logs/facets", "field"),
            ("/logs/facets?field=attributes", "field"),
            ("/logs/histogram?interval=1s", "interval"), ("/logs?nonsense=1", "nonsense"),
            ("/logs/tail?from=-1h", "from"),
            ("/logs?q=" + String(repeating: "a+", count: 200), "q"),
        ] {
            let reply = try service.get(target)
            #expect(reply.status == 400, "\(target)")
            #expect(try reply.json()["parameter"]?.string == name, "\(target)")
        }
    }

    @Test func `what is no body of logs is refused with its reason`() throws {
        let service = try RunningService.start()
        #expect(try service.post("/logs", Array("x".utf8), type: "text/plain").status == 415)
        for (body, status, code) in [
            ("", 400, "empty_body"), ("{", 400, "invalid_json"),
            ("[1]", 422, "all_records_rejected"),
            ("{\"message\":\"a\"} {}", 400, "trailing_content"),
        ] {
            let reply = try service.post("/logs", json: body)
            #expect(reply.status == status)
            #expect(try reply.json()["code"]?.string == code)
        }
        #expect(try service.request("DELETE", "/logs").status == 400)
    }

    @Test func `a long record is cut and flagged, not dropped`() throws {
        let service = try RunningService.start()
        let text = String(repeating: "lang ", count: 100_000)
        let reply = try service.post("/logs", json: #"{"message":"begin \#(text)","k":"v"}"#)
        #expect(try reply.json()["accepted"]?.integer == 1)
        try service.waitUntilLogsAreStored()
        let record = try #require(try service.get("/logs?q=begin").json()["records"]?[0])
        let message = try #require(record["message"]?.string)
        #expect(record["truncated"] == .bool(true) && message.hasPrefix("begin lang"))
        #expect(message.utf8.count <= 256 << 10 && message.utf8.count > 250 << 10)
        #expect(record["attributes"] == .object(["k": .string("v")]))
    }

    @Test func `nothing secret reaches the disk, an answer or a tail`() throws {
        let service = try RunningService.start()
        let tail = try LogTail(service)
        let secrets = [
            "ada.lovelace@example.org", "4111 1111 1111 1111", "203.0.113.77",
            "correct-horse-battery", "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        ]
        for round in 0..<200 {
            let reply = try service.post(
                "/logs",
                json: """
                    [{"message":"mail \(secrets[0]) from \(secrets[2])","round":\(round)},
                     {"message":"paid with \(secrets[1])","password":"\(secrets[3])"},
                     {"message":"token","attributes":{"deep":[{"note":"\(secrets[4])"}]}},
                     {"message":"m","service":"\(secrets[0])","level":"\(secrets[0])"}]
                    """)
            #expect(reply.status == 202)
        }
        let shown = try (0..<800).map { _ in try tail.next() }.joined()
        let listed = try service.get("/logs?limit=1000")
        let places = ["tail": Array(shown.utf8), "answer": listed.body]
            .merging(try LogFiles.contents(service.dataDirectory)) { $1 }
        #expect(places.keys.contains { $0.hasSuffix(".db-wal") })
        for (place, bytes) in places {
            for secret in secrets {
                #expect(bytes.firstRange(of: Array(secret.utf8)) == nil, "\(secret) in \(place)")
            }
        }
        #expect(
            try listed.json()["records"]?.elements.allSatisfy { $0["masked"] == .bool(true) }
                == true)
        #expect(try service.terminate() == .exited(0))
        for (place, bytes) in try LogFiles.contents(service.dataDirectory) {
            for secret in secrets {
                #expect(bytes.firstRange(of: Array(secret.utf8)) == nil, "\(secret) in \(place)")
            }
        }
    }

    @Test func `SIGTERM loses no record that was accepted`() throws {
        let service = try RunningService.start()
        let total = 40_000
        for start in stride(from: 0, to: total, by: 4000) {
            let lines = (start..<start + 4000).map { #"{"message":"number \#($0)"}"# }
            #expect(try service.post("/logs", lines: lines).status == 202)
        }
        #expect(try service.terminate() == .exited(0))
        let again = try service.startAgain()
        let counts = try again.get("/logs/histogram?interval=1d").json()["buckets"]?.elements
        #expect(counts?.compactMap { $0["count"]?.integer }.reduce(0, +) == total)
        again.kill()
    }

    @Test func `after a kill the files are whole, and what was visible still is`() throws {
        let service = try RunningService.start()
        let lines = (0..<5000).map { #"{"message":"first \#($0)"}"# }
        #expect(try service.post("/logs", lines: lines).status == 202)
        try service.waitUntilLogsAreStored()
        #expect(try service.get("/logs?q=4999").json()["records"]?.elements.count == 1)
        for round in 0..<20 {
            let lines = (0..<500).map { #"{"message":"later \#(round) \#($0)"}"# }
            #expect(try service.post("/logs", lines: lines).status == 202)
        }
        service.kill()
        let again = try service.startAgain()
        #expect(try again.get("/logs?q=first&limit=1000").json()["next"] != .null)
        let count =
            try again.get("/logs/histogram?interval=1d").json()["buckets"]?.elements
            .compactMap { $0["count"]?.integer }.reduce(0, +) ?? 0
        #expect(count >= 5000 && count <= 15_000)
        print("logs: \(count) of 15000 records after a kill, 5000 were visible before")
        #expect(try again.terminate() == .exited(0))
        let output = service.directory.file("check")
        let process = try ChildProcess(
            [try MillraceBinary.path(), "check", "--data-dir", service.dataDirectory],
            output: output, errors: output)
        #expect(process.exit(within: .seconds(60)) == .exited(0))
        let check = FileSystem.text(output)
        #expect(check.contains("logs: 1 days, \(count) records"), "\(check)")
    }

    @Test func `an erasure leaves nothing of what it erased`() throws {
        let service = try RunningService.start()
        for name in ["keep", "zebra"] {
            let lines = (0..<300).map { #"{"message":"\#(name)word \#($0)","service":"\#(name)"}"# }
            #expect(try service.post("/logs", lines: lines).status == 202)
        }
        try service.waitUntilLogsAreStored()
        // An empty variable in somebody's command.
        for blank in ["", "%20", "%22%22", "%20%22%20%22"] {
            for more in ["", "&dry_run=1"] {
                let refused = try service.request("DELETE", "/logs?service=zebra&q=\(blank)\(more)")
                #expect(refused.status == 400)
                #expect(try refused.json()["parameter"]?.string == "q")
            }
        }
        let dry = try service.request("DELETE", "/logs?service=zebra&dry_run=1")
        #expect(try dry.json()["matched"]?.integer == 300)
        #expect(
            try service.get("/logs?q=zebraword&limit=1000").json()["records"]?.elements.count == 300
        )
        let reply = try service.request("DELETE", "/logs?service=zebra")
        #expect(reply.status == 200)
        #expect(try reply.json()["erased"]?.integer == 300)
        #expect(try service.get("/logs?limit=1000").json()["records"]?.elements.count == 300)
        for (place, bytes) in try LogFiles.contents(service.dataDirectory)
        where place.hasPrefix("logs/") {
            #expect(bytes.firstRange(of: Array("zebraword".utf8)) == nil, "in \(place)")
        }
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `a tail goes on where it was, over a restart as well`() throws {
        let service = try RunningService.start()
        func post(_ range: Range<Int>, to service: RunningService) throws {
            for index in range {
                let level = index % 2 == 0 ? "info" : "error"
                let json = #"{"message":"m\#(index) word","level":"\#(level)"}"#
                #expect(try service.post("/logs", json: json).status == 202)
            }
        }
        let (tail, errors) = (try LogTail(service), try LogTail(service, "?level=error&q=WORD"))
        try post(0..<20, to: service)
        var all: [EventTail.Message] = []
        for _ in 0..<20 { all.append(try tail.nextMessage()) }
        #expect(all.map { LogTail.text($0) } == (0..<20).map { "m\($0) word" })
        for index in stride(from: 1, to: 20, by: 2) {
            #expect(LogTail.text(try errors.nextMessage()) == "m\(index) word")
        }
        let again = try LogTail(service, after: all[4].id)
        #expect(
            try (5..<20).map { _ in LogTail.text(try again.nextMessage()) }
                == (5..<20).map { "m\($0) word" })
        #expect(try service.terminate() == .exited(0))
        let successor = try service.startAgain()
        let resumed = try LogTail(successor, "?level=error", after: all[9].id)
        try post(20..<22, to: successor)
        #expect(
            try [11, 13, 15, 17, 19, 21].map { _ in LogTail.text(try resumed.nextMessage()) }
                == [11, 13, 15, 17, 19, 21].map { "m\($0) word" })
        let reset = try LogTail(successor, after: "999999-0")
        #expect(try reset.nextMessage().event == "reset")
        successor.kill()
    }

    @Test func `a service whose age has come goes from a day that others stay in`() throws {
        let service = try RunningService.start()
        let time = Timestamp.format(WallClock.nowMilliseconds() - 5 * 86_400_000)
        func line(_ name: String) -> String {
            #"{"time":"\#(time)","service":"\#(name)","message":"\#(name)word"}"#
        }
        #expect(
            try service.post("/logs", lines: [line("noisy-a"), line("shop"), line("noisy-b")])
                .status == 202)
        #expect(try service.terminate() == .exited(0))
        let folder = try TemporaryDirectory()
        try folder.write(
            "millrace.yaml", "logs: { retention: { default: 30d, \"noisy-*\": 2d } }\n")
        let again = try service.startAgain(["--config", folder.file("millrace.yaml")])
        try again.wait(until: "the noise is gone") {
            try again.get("/status").json()["logs"]?["expired"]?.integer == 2
        }
        #expect(try again.post("/logs", lines: [line("noisy-a"), line("shop")]).status == 202)
        let records = try again.get("/logs").json()["records"]?.elements ?? []
        #expect(records.map { $0["service"]?.string } == ["shop", "shop"])
        #expect(try again.get("/status").json()["logs"]?["too_old"]?.integer == 1)
        #expect(try again.get("/metrics").text.contains("millrace_logs_expired_total 2"))
        #expect(try again.terminate() == .exited(0))
        for (place, bytes) in try LogFiles.contents(service.dataDirectory)
        where place.hasPrefix("logs/") {
            #expect(bytes.firstRange(of: Array("noisy-aword".utf8)) == nil, "in \(place)")
        }
    }

    @Test func `no logs are taken where they are off`() throws {
        let service = try RunningService.start(["--logs-store", "off"])
        #expect(try service.post("/logs", json: #"{"message":"a"}"#).status == 404)
        #expect(try service.get("/logs").status == 404)
        #expect(try service.get("/status").json()["logs"] == nil)
    }

    @Test func `logs are kept as lines, and none that was accepted is lost at the end`() throws {
        let service = try RunningService.start(["--logs-store", "files"])
        let total = 20_000
        for start in stride(from: 0, to: total, by: 4000) {
            let lines = (start..<start + 4000).map {
                #"{"message":"number \#($0) of ada@example.org"}"#
            }
            #expect(try service.post("/logs", lines: lines).status == 202)
        }
        #expect(try service.get("/logs").status == 405)
        #expect(try service.get("/logs/tail").status == 404)
        #expect(try service.terminate() == .exited(0))
        let files = try LogFiles.contents(service.dataDirectory).filter {
            $0.key.hasPrefix("logs/")
        }
        #expect(files.keys.allSatisfy { $0.hasSuffix(".ndjson") })
        let lines = files.values.flatMap { $0.split(separator: UInt8(ascii: "\n")) }
        #expect(lines.count == total)
        for line in lines.prefix(100) {
            let message = try JSONTree.parse(Array(line))["message"]?.string
            #expect(message?.hasSuffix("of [EMAIL]") == true)
        }
        for bytes in files.values {
            #expect(bytes.firstRange(of: Array("ada@".utf8)) == nil)
        }
    }

    /// The same requests each time, in the store, in files of lines, in a tail, in a page of answers, in
    /// the spool of a forward and at its receiver.
    @Test(arguments: ["search", "files"])
    func `requests of a web server leave no address of a client behind`(mode: String) throws {
        let receiver = try OTLPReceiver { _, _ in .status(503, headers: ["Retry-After: 1"]) }
        let folder = try TemporaryDirectory()
        try folder.write(
            "millrace.yaml", "log-forwards: { far: { url: \"\(receiver.url)\", timeout: 30s } }\n")
        let service = try RunningService.start([
            "--config", folder.file("millrace.yaml"), "--logs-store", mode,
        ])
        let tail = mode == "search" ? try LogTail(service) : nil
        let log = AccessLog()
        // Such an address looks like that of its network.
        #expect(log.subjects.contains { $0.hasSuffix(".0") })
        let requests = String(decoding: log.ndjson, as: UTF8.self).split(separator: "\n")
        let lines = try requests.map { line in
            let client = try JSONTree.parse(line)["subject"]?.string ?? ""
            return #"{"message":"request of \#(client)","# + line.dropFirst()
        }
        for start in stride(from: 0, to: lines.count, by: 2500) {
            let reply = try service.post("/logs", lines: lines[start..<start + 2500])
            #expect(try reply.json()["accepted"]?.integer == 2500)
        }
        if let tail {
            var shown = ""
            for _ in 0..<lines.count { shown += try tail.next() + "\n" }
            try FileSystem.write(shown.utf8, to: service.dataDirectory + "/tail")
            let page = try service.get("/logs?limit=1000")
            try FileSystem.write(page.body, to: service.dataDirectory + "/page")
        }
        try service.waitUntilLogsAreStored()
        try service.wait(until: "all are in the spool") {
            let forward = try service.get("/status").json()["log_forwards"]?["far"]
            return forward?["spool"]?["records"]?.integer == lines.count
        }
        let folders = try addresses(in: service.dataDirectory, service.directory)
        // Each is in the store or a file, and in the spool, in the message and in the attributes.
        #expect(folders.count >= lines.count * 4)
        receiver.obey { _, _ in .status(200) }
        // It was refused all the time, so the next attempt may be some time away.
        try service.wait(until: "all are sent on", within: .seconds(90)) {
            receiver.taken.count >= lines.count
        }
        try FileSystem.write(
            receiver.taken.map { "\($0)\n" }.joined().utf8, to: service.dataDirectory + "/taken")
        #expect(try service.terminate() == .exited(0))
        let all = try addresses(in: service.dataDirectory, service.directory)
        // Once more at the receiver, while the spool may have gone.
        #expect(all.count >= lines.count * 4)
        for address in Set(folders + all) where !address.contains(".0/24") {
            Issue.record("the address of a client: \(address)")
        }
        print("logs: \(folders.count) and \(all.count) networks, and no address of a client")
    }

    /// What looks like an address of these clients in any byte below `folder`, with what follows it: that
    /// of a network is `198.51.7.0/24`.
    private func addresses(in folder: String, _ scratch: TemporaryDirectory) throws -> [String] {
        let found = scratch.file("found")
        let search = try ChildProcess(
            ["grep", "-ahorE", #"198\.51\.[0-9]+\.[0-9]+(/[0-9]+)?"#, folder],
            output: found, errors: scratch.file("errors"))
        #expect(search.exit(within: .seconds(60) * slowness) == .exited(0))
        return FileSystem.text(found).split(separator: "\n").map(String.init)
    }
}
