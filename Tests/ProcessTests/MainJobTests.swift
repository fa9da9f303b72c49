import Testing
import TestSupport

/// The main job, end to end: events in over HTTP, safe on disk, answered by a query.
@Suite(.processes) struct MainJobTests {
    @Test func `a log file that is posted is answered for, and posting it again changes nothing`()
        throws
    {
        let log = AccessLog()
        let service = try RunningService.start()
        for _ in 0..<2 {
            let reply = try service.post(
                "/events?ack=stored&timeout_ms=60000", log.ndjson, type: "application/x-ndjson")
            #expect(reply.status == 200, "\(reply.text)")
            let receipt = try reply.json()
            #expect(receipt["ack"] == .string("stored"))
            #expect(receipt["accepted"] == .integer(log.count))
            #expect(receipt["rejected"] == .integer(0))
            try checkAnswers(service, log)
        }
        let ids = try service.storedIDs()
        #expect(ids.count == log.count && Set(ids) == Set(log.ids))
        let status = try service.get("/status").json()
        #expect(status["events"]?["duplicates"]?.integer == log.count)
        #expect(try service.terminate() == .exited(0))
        try checkAnswers(try service.startAgain(), log)
        print("main job: \(log.count) events twice, answers right before and after a restart")
    }

    private func checkAnswers(_ service: RunningService, _ log: AccessLog) throws {
        #expect(
            try service.row("count,sum:bytes,uniq:subject,uniq:id") == [
                .integer(log.count), .integer(log.byteSum), .integer(log.subjects.count),
                .integer(log.count),
            ])
        let target =
            "/query?metric=count&event=http.request&group_by=status&from=2015-05-17&to=2015-05-21"
        let byStatus = try service.get(target).json()["rows"]?.array ?? []
        #expect(pairs(byStatus) == log.byStatus)
        let days = try service.get(
            "/query?metric=count&interval=1d&from=2015-05-17&to=2015-05-21"
        ).json()["rows"]?.array
        #expect(days?.compactMap { $0[1]?.integer } == (0..<4).map { log.byDay[$0] ?? 0 })
    }

    private func pairs(_ rows: [JSONTree]) -> [Int: Int] {
        var pairs: [Int: Int] = [:]
        for row in rows { pairs[row[0]?.integer ?? -1] = row[1]?.integer }
        return pairs
    }

    @Test func `the same rows come as JSON, as objects, as CSV and as NDJSON`() throws {
        let log = AccessLog(count: 500)
        let service = try RunningService.start()
        #expect(
            try service.post(
                "/events?ack=stored&timeout_ms=60000", log.ndjson, type: "application/jsonl"
            ).status == 200)
        let query =
            "/query?metric=count&group_by=path,status&order=-count,path,status&from=2015-05-17"
        let rows = try service.get(query).json()["rows"]?.array ?? []
        #expect(rows.count > 5 && rows.compactMap { $0[2]?.integer }.reduce(0, +) == 500)
        let objects = try service.get(query + "&shape=objects").json()["rows"]?.array ?? []
        #expect(objects.map { [$0["path"], $0["status"], $0["count"]] } == rows.map { $0.cells })
        let lines = try service.get(query, headers: ["Accept": "application/x-ndjson"]).text
            .split(separator: "\n").map { try JSONTree.parse($0) }
        #expect(lines.map { [$0["path"], $0["status"], $0["count"]] } == rows.map { $0.cells })
        let csv = try service.get(query + "&format=csv")
        #expect(csv.header("Content-Type")?.hasPrefix("text/csv") == true)
        #expect(try CSVText.parse(csv.text) == csvRows(rows))
        #expect(try service.get(query, headers: ["Accept": "image/png"]).status == 406)
        for (accept, type) in [
            ("*/*, application/json;q=0", "text/csv"), ("text/*, */*;q=0.1", "text/csv"),
            ("*/*", "application/json"), ("text/html, application/json;q=0.5", "application/json"),
        ] {
            let reply = try service.get(query, headers: ["Accept": accept])
            #expect(reply.header("Content-Type")?.hasPrefix(type) == true, "\(accept)")
        }
        let chosen = try service.get(query + "&format=csv", headers: ["Accept": "text/html"])
        #expect(
            chosen.status == 200 && chosen.header("Content-Type")?.hasPrefix("text/csv") == true)
    }

    @Test func `no rows have the types that rows would have`() throws {
        let service = try RunningService.start()
        let answer = try service.get("/query?metric=count,avg:ms,sum:ms&interval=1h&group_by=type")
            .json()
        #expect(answer["row_count"] == .integer(0))
        let types = answer["columns"]?.array?.map { $0["type"]?.string }
        #expect(types == ["time", "text", "integer", "real", "any"])
    }

    @Test func `a member is found by its name however that was written`() throws {
        let service = try RunningService.start()
        let lines = [
            #"{"type":"t","größe":1}"#, #"{"type":"t","gr\u00f6\u00dfe":2}"#,
            #"{"type":"t","data":{"in":{"gr\u00f6\u00dfe":4}}}"#,
        ]
        #expect(try service.post("/events?ack=stored", lines: lines).status == 200)
        let name = "gr%C3%B6%C3%9Fe"
        #expect(
            try service.row("count,sum:\(name)", "&event=t&where=\(name):gt:0") == [
                .integer(2), .integer(3),
            ])
        #expect(try service.row("sum:in.\(name)", "&event=t") == [.integer(4)])
    }

    private func csvRows(_ rows: [JSONTree]) -> [[String]] {
        [["path", "status", "count"]]
            + rows.map { row in
                [row[0]?.string ?? "?"] + (1...2).map { "\(row[$0]?.integer ?? -1)" }
            }
    }

    @Test func `paging covers everything once, whatever the size of a page`() throws {
        let log = AccessLog(count: 230)
        let service = try RunningService.start()
        _ = try service.post("/events?ack=stored", log.ndjson, type: "application/x-ndjson")
        for limit in [1, 7, 100, 230, 231, 1000] {
            let ids = try service.storedIDs(pageLimit: limit)
            #expect(ids.count == 230 && Set(ids) == Set(log.ids), "limit \(limit)")
        }
        let filtered = try service.get("/events?type=http.request&subject=nobody").json()
        #expect(filtered == .object(["events": .array([]), "next": .null]))
    }
}

extension JSONTree {
    /// The elements of an array, each as an optional, to compare with members that may be missing.
    fileprivate var cells: [JSONTree?] { array.map { $0.map { $0 } } ?? [] }
}

/// CSV as RFC 4180 has it.
enum CSVText {
    static func parse(_ text: String) throws -> [[String]] {
        var rows: [[String]] = []
        var row: [String] = []
        var field = ""
        var isQuoted = false
        var characters = Array(text.unicodeScalars)[...]
        while let scalar = characters.popFirst() {
            switch scalar {
            case "\"" where isQuoted && characters.first == "\"":
                field.unicodeScalars.append(characters.removeFirst())
            case "\"": isQuoted.toggle()
            case "," where !isQuoted:
                row.append(field)
                field = ""
            case "\r" where !isQuoted: continue
            case "\n" where !isQuoted:
                rows.append(row + [field])
                (row, field) = ([], "")
            default: field.unicodeScalars.append(scalar)
            }
        }
        guard !isQuoted, field.isEmpty, row.isEmpty else { throw TestError("the CSV is torn") }
        return rows
    }
}
