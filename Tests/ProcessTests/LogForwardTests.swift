import Primitives
import TestSupport
import Testing

/// Taken-in logs on their way to others, through the real program.
@Suite(.processes) struct LogForwardTests {
    /// Folders that live as long as the suite's test.
    private let configurations = Locked<[TemporaryDirectory]>([])

    private func start(_ forwards: String) throws -> RunningService {
        let folder = try TemporaryDirectory()
        try folder.write("millrace.yaml", "log-forwards:\n\(forwards)")
        // The file is read again at each start.
        configurations.withLock { $0.append(folder) }
        return try RunningService.start(["--config", folder.file("millrace.yaml")])
    }

    /// Posts records `r<number>`, one request.
    private func post(
        _ numbers: Range<Int>, to service: RunningService, severity: Int = 9
    ) throws {
        let records = numbers.map {
            #"{"body":{"stringValue":"r\#($0)"},"severityNumber":\#(severity)}"#
        }
        let reply = try service.post(
            "/v1/logs",
            json:
                #"{"resourceLogs":[{"scopeLogs":[{"logRecords":[\#(records.joined(separator: ","))]}]}]}"#
        )
        #expect(reply.status == 200)
    }

    private func forward(_ service: RunningService, _ name: String = "far") throws -> JSONTree {
        try service.get("/status").json()["log_forwards"]?[name] ?? .null
    }

    private func bodies(_ numbers: Range<Int>) -> Set<String> { Set(numbers.map { "r\($0)" }) }

    @Test func `records arrive masked, with all that they were sent with`() throws {
        let receiver = try OTLPReceiver()
        let service = try start("  far: { url: \"\(receiver.url)\", authorization: Bearer abc }\n")
        let reply = try service.post(
            "/v1/logs",
            json: #"""
                {"resourceLogs":[{"resource":{"attributes":[
                  {"key":"service.name","value":{"stringValue":"shop"}}]},
                 "scopeLogs":[{"scope":{"name":"cart"},"logRecords":[
                 {"timeUnixNano":"1700000000123456789","severityNumber":17,
                  "body":{"stringValue":"mail to ann@example.com failed"},
                  "traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331",
                  "eventName":"mail.failed",
                  "attributes":[{"key":"n","value":{"intValue":"7"}},
                    {"key":"password","value":{"stringValue":"hunter2"}}]}]}]}]}
                """#)
        #expect(reply.status == 200 && reply.text == "{}")
        try service.wait(until: "it arrives") { receiver.taken.count == 1 }
        let record = receiver.taken[0]
        #expect(record.body.hasPrefix("mail to ") && record.body.hasSuffix(" failed"))
        #expect(!record.body.contains("ann") && !record.attributes.contains("hunter2"))
        #expect(record.attributes.hasPrefix(#"{"n":7,"password":"#))
        #expect(record.time == 1_700_000_000_123_456_789 && record.severity == 17)
        #expect(
            record.traceID == Key128(high: 0x0AF7_6519_16CD_43DD, low: 0x8448_EB21_1C80_319C))
        #expect(record.spanID == 0xB7AD_6B71_6920_3331)
        #expect(record.eventName == "mail.failed" && record.service == "shop")
        #expect(receiver.heads[0].contains("Authorization: Bearer abc"))
        #expect(receiver.heads[0].contains("Content-Encoding: gzip"))
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `what is delivered is off the disk, and an erasure says what still waits`() throws {
        let isAway = Locked(false)
        let receiver = try OTLPReceiver { _, _ in
            isAway.withLock { $0 } ? .status(503, headers: ["Retry-After: 1"]) : .status(200)
        }
        let service = try start("  far: { url: \"\(receiver.url)\", timeout: 1s }\n")
        func waiting(_ more: String) throws -> Int? {
            let reply = try service.request("DELETE", "/logs?level=info\(more)")
            return try reply.json()["forwards_waiting"]?.integer
        }
        try post(0..<50, to: service)
        let spool = service.dataDirectory + "/log-forwards/far"
        try service.wait(until: "the spool is empty") {
            receiver.taken.count == 50 && FileSystem.names(in: spool) == ["position"]
        }
        #expect(try waiting("&dry_run=1") == 0)
        isAway.withLock { $0 = true }
        try post(50..<70, to: service)
        try service.wait(until: "all are on disk") {
            try forward(service)["spool"]?["records"]?.integer == 20
        }
        try service.wait(until: "they are counted") { try waiting("&dry_run=1") == 20 }
        #expect(try waiting("") == 20)
        isAway.withLock { $0 = false }
        try service.wait(until: "the spool is empty again") {
            receiver.taken.count == 70 && FileSystem.names(in: spool) == ["position"]
        }
        #expect(try waiting("") == 0)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `all records arrive though the receiver was away and the program killed`() throws {
        var receiver = try OTLPReceiver()
        let port = receiver.port
        var service = try start("  far: { url: \"\(receiver.url)\", timeout: 1s }\n")
        receiver.close()
        var posted = 0
        for _ in 0..<3 {
            for _ in 0..<10 {
                try post(posted..<posted + 20, to: service)
                posted += 20
            }
            // What is in the kernel's hands outlives the process.
            try service.wait(until: "all are on disk") {
                try forward(service)["spool"]?["records"]?.integer == posted
            }
            try service.wait(until: "attempts fail") {
                try forward(service)["failed_attempts"]?.integer ?? 0 > 0
            }
            service.kill()
            service = try service.startAgain()
        }
        // It comes back half well, is killed with some delivered, and then all is well.
        receiver = try OTLPReceiver(port: port) { _, number in
            number % 2 == 0 ? .status(503, headers: ["Retry-After: 1"]) : .status(200)
        }
        try service.wait(until: "some arrive") { !receiver.taken.isEmpty }
        service.kill()
        service = try service.startAgain()
        receiver.obey { _, _ in .status(200) }
        try post(posted..<posted + 1, to: service)
        posted += 1
        try service.wait(until: "all arrive") {
            Set(receiver.taken.map(\.body)) == bodies(0..<posted)
        }
        try service.wait(until: "the spool is empty") {
            try forward(service)["spool"]?["records"]?.integer == 0
        }
        print(
            "forward: \(posted) records, 4 kills, \(receiver.taken.count - posted) came twice")
        let dropped = try forward(service)["dropped"]
        for reason in ["queue_full", "spool_full", "spool_error", "damaged", "refused", "rejected"]
        {
            #expect(dropped?[reason]?.integer == 0, "\(reason)")
        }
        #expect(receiver.unreadable == 0)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `a receiver that hangs holds up neither intake nor another receiver`() throws {
        let stuck = try OTLPReceiver { _, _ in .hang }
        let well = try OTLPReceiver()
        let service = try start(
            "  stuck: { url: \"\(stuck.url)\", timeout: 30s }\n"
                + "  well: { url: \"\(well.url)\", level: warn }\n")
        try post(0..<10, to: service)
        try service.wait(until: "one hangs") { !stuck.heads.isEmpty }
        let start = MonotonicTime.now()
        for number in 1...20 {
            try post(
                number * 10..<number * 10 + 10, to: service, severity: number % 2 == 0 ? 9 : 13)
        }
        try service.wait(until: "the other has what it wants") { well.taken.count == 100 }
        let took = MonotonicTime.now().since(start)
        #expect(took < .seconds(10) * slowness)
        #expect(well.taken.allSatisfy { $0.severity == 13 })
        #expect(try forward(service, "stuck")["spool"]?["records"]?.integer == 210)
        // A reply is counted once it has come back.
        try service.wait(until: "all replies have come") {
            try forward(service, "well")["delivered"]?.integer == 100
        }
        let metrics = try service.get("/metrics").text
        #expect(metrics.contains(#"millrace_log_forward_delivered_total{forward="well"} 100"#))
        #expect(metrics.contains(#"millrace_log_forward_spooled_records{forward="stuck"} 210"#))
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `what a receiver refuses is dropped alone and counted`() throws {
        let receiver = try OTLPReceiver { bodies, _ in
            bodies.contains("r5") ? .status(400) : .status(200)
        }
        let service = try start("  far: { url: \"\(receiver.url)\" }\n")
        for number in 0..<10 { try post(number..<number + 1, to: service) }
        try service.wait(until: "all is settled") {
            let status = try forward(service)
            return status["delivered"]?.integer == 9
                && status["dropped"]?["refused"]?.integer == 1
        }
        #expect(Set(receiver.taken.map(\.body)) == bodies(0..<10).subtracting(["r5"]))
        receiver.obey { _, _ in .partial(2) }
        try post(10..<15, to: service)
        try service.wait(until: "what is left out is counted") {
            try forward(service)["dropped"]?["rejected"]?.integer == 2
        }
        #expect(try forward(service)["delivered"]?.integer == 12)
        #expect(try service.terminate() == .exited(0))
    }
}
