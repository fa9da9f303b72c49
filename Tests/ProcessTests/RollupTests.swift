import Primitives
import TestSupport
import Testing

/// Rollups through the front door.
@Suite(.processes) struct RollupTests {
    private static let declarations = """
        rollups:
          - name: pages
            event: page
            interval: 1h
            group_by: [path]
            metrics: [count, avg:ms, max:ms, uniq:user, p95:ms]
        """

    private let question =
        "/query?metric=count,avg:ms,max:ms&event=page&group_by=path&from=2026-01-01&to=2026-01-03"

    private func lines(_ range: Range<Int>) -> [String] {
        range.map { index in
            let time = Timestamp.format(1_767_225_600_000 + Int64(index) * 61_000)
            return #"{"type":"page","id":"\#(index)","time":"\#(time)","path":"/\#(index % 7)","#
                + #""ms":\#(index % 100).25,"user":"u\#(index % 50)"}"#
        }
    }

    private func source(_ service: RunningService) throws -> String? {
        try service.get(question + "&explain=1").json()["source"]?.string
    }

    private func post(_ service: RunningService, _ range: Range<Int>) throws {
        let reply = try service.post("/events?ack=stored", lines: lines(range))
        guard reply.status == 200 else { throw TestError("not stored: \(reply.text)") }
    }

    @Test func `a declared rollup is filled, kept, rebuilt, and answers as the events do`() throws {
        let folder = try TemporaryDirectory()
        let file = folder.file("millrace.yaml")
        try FileSystem.write(Self.declarations.utf8, to: file)
        let first = try RunningService.start()
        try post(first, 0..<1000)
        #expect(try source(first) == "raw")
        #expect(try first.get("/admin/rollups").text.contains(#"{"rollups":[]}"#))
        #expect(try first.terminate() == .exited(0))

        let service = try first.startAgain(["--config", file])
        try service.wait(until: "the rollup is filled") { try source(service) == "rollup" }
        try post(service, 1000..<2000)
        // What was sent twice counts once.
        try post(service, 500..<1500)
        let answer = try service.get(question + "&max_stale=0")
        let events = try service.get(question + "&max_stale=0&rollup=off")
        #expect(answer.text == events.text)
        #expect(try answer.json()["rows"]?[0]?[1]?.integer == 286)
        let sketched = try service.get(
            "/query?metric=uniq:user,p95:ms&event=page&from=2026-01-01&to=2026-01-03"
        ).json()
        #expect(sketched["columns"]?[0]?["approximate"]?.bool == true)
        #expect(abs((sketched["rows"]?[0]?[0]?.number ?? 0) - 50) <= 4)
        #expect(abs((sketched["rows"]?[0]?[1]?.number ?? 0) - 94.25) <= 0.95)

        #expect(try service.request("POST", "/admin/rollups/none/rebuild").status == 404)
        let rebuild = try service.request("POST", "/admin/rollups/pages/rebuild")
        #expect(rebuild.status == 202 && rebuild.text.contains(#""state":"filling""#))
        try service.wait(until: "it is complete again") {
            let rollup = try service.get("/admin/rollups").json()["rollups"]?[0]
            return rollup?["state"]?.string == "complete" && rollup?["progress"]?.number == 1
                && rollup?["rows"]?.integer == 34 * 7
        }
        #expect(try service.get(question + "&cache=bypass").text == events.text)
        #expect(try source(service) == "rollup")
        service.kill()
        let again = try service.startAgain()
        #expect(try again.get(question).text == events.text)
        #expect(try source(again) == "rollup")
        #expect(try again.terminate() == .exited(0))
    }
}
