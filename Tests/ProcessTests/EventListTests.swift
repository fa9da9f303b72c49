import Testing
import TestSupport

/// Which events are listed, asked for and kept.
@Suite(.processes) struct EventListTests {
    private let lines = [
        #"{"id":"1","type":"a","source":"/x","subject":"s1","time":"2020-01-01T00:00:00Z","n":1}"#,
        #"{"id":"2","type":"a","source":"/x","subject":"s2","time":"2020-01-01T00:00:01Z","n":2}"#,
        #"{"id":"3","type":"b","source":"/y","subject":"s1","time":"2020-01-01T00:00:02Z","n":3}"#,
    ]

    @Test(arguments: [
        ("source=/x", ["1", "2"]), ("source=/y", ["3"]), ("subject=s1", ["1", "3"]),
        ("type=a,b", ["1", "2", "3"]), ("from=2020-01-01T00:00:01Z", ["2", "3"]),
        ("to=2020-01-01T00:00:01Z", ["1"]),
        ("from=2020-01-01&to=2020-01-01T00:00:02Z", ["1", "2"]),
        ("source=/x&subject=s1&type=a", ["1"]), ("source=/x&type=b", []),
    ])
    func `filters narrow the list, alone and together`(filter: String, ids: [String]) throws {
        let service = try RunningService.start()
        #expect(try service.post("/events?ack=stored", lines: lines).status == 200)
        let page = try service.get("/events?\(filter)").json()
        #expect(page["events"]?.array?.compactMap { $0["id"]?.string }.sorted() == ids)
    }

    @Test(arguments: [
        (
            "metric=count,sum:n&group_by=type&where=n:ge:2&order=-count&from=2020-01-01&to=2020-01-02",
            #"{"metric":["count","sum:n"],"group_by":["type"],"where":["n:ge:2"],"order":["-count"],"from":"2020-01-01","to":"2020-01-02"}"#
        ),
        (
            "metric=count&where=n:ge:2&where=subject:eq:s1&event=a,b&from=2020-01-01&to=2020-01-02&shape=objects",
            #"{"metric":"count","where":["n:ge:2","subject:eq:s1"],"event":["a","b"],"from":"2020-01-01","to":"2020-01-02","shape":"objects"}"#
        ),
        (
            "metric=max:n&interval=1h&fill=0&limit=5&from=2020-01-01&to=2020-01-01T03:00:00Z",
            #"{"metric":"max:n","interval":"1h","fill":0,"limit":5,"from":"2020-01-01","to":"2020-01-01T03:00:00Z"}"#
        ),
    ])
    func `a question in JSON has the answer of the same one in the URL`(
        target: String, body: String
    ) throws {
        let service = try RunningService.start()
        #expect(try service.post("/events?ack=stored", lines: lines).status == 200)
        let asked = try service.get("/query?\(target)")
        let posted = try service.post("/query", json: body)
        #expect(asked.status == 200 && posted.status == 200, "\(posted.text)")
        #expect(try posted.json()["rows"] == asked.json()["rows"])
        #expect(try posted.json()["rows"]?.array?.isEmpty == false)
        #expect(try posted.json()["columns"] == asked.json()["columns"])
        let explained = try service.post("/query", json: body.dropLast() + #","explain":true}"#)
        #expect(try explained.text == service.get("/query?\(target)&explain=1").text)
    }

    @Test func `what is older than the retention goes, by the time of the event`() throws {
        let first = try RunningService.start()
        #expect(try first.post("/events?ack=stored", lines: lines).status == 200)
        #expect(try first.post("/events?ack=stored", json: #"{"type":"new"}"#).status == 200)
        #expect(try first.terminate() == .exited(0))
        let service = try first.startAgain(["--retention", "1d"])
        try service.wait(until: "the old events are gone") {
            try service.get("/status").json()["store"]?["rows"]?.integer == 1
        }
        let left = try service.get("/events").json()["events"]?.array
        #expect(left?.compactMap { $0["type"]?.string } == ["new"])
        // So do the names that no event has any more.
        try service.wait(until: "the names are gone") {
            try names(service, "event_types").allSatisfy { $0 == "new" || $0.contains("unused") }
                && names(service, "event_sources").allSatisfy { !["/x", "/y"].contains($0) }
        }
        let old = "/query?metric=count&event=a&from=2020-01-01"
        #expect(try service.get(old).json()["rows"]?[0]?[0]?.integer == 0)
        // Their ids are free again: what was deleted may come once more, under the same names.
        try service.wait(until: "it has come, and has not gone yet") {
            #expect(try service.post("/events?ack=stored", lines: lines).status == 200)
            return try service.get(old).json()["rows"]?[0]?[0]?.integer == 2
        }
        #expect(try service.terminate() == .exited(0))
    }

    /// What a table of the store holds, as another program reads it.
    private func names(_ service: RunningService, _ table: String) throws -> [String] {
        let output = service.directory.file("names")
        // A child's output is appended.
        FileSystem.remove(output)
        let script = """
            import sqlite3, sys
            store = sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True, timeout=30)
            for row in store.execute("SELECT name FROM \(table)"): print(row[0])
            """
        let process = try ChildProcess(
            ["python3", "-c", script, service.dataDirectory + "/store.db"], output: output,
            errors: output)
        guard process.exit(within: .seconds(60)) == .exited(0) else {
            throw TestError("the names cannot be read: \(FileSystem.text(output))")
        }
        return FileSystem.text(output).split(separator: "\n").map(String.init)
    }
}
