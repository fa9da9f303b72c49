import Testing
import TestSupport

/// The served openapi.yaml against the server that serves it.
@Suite(.long) struct ContractTests {
    @Test func `schemathesis finds nothing`() throws {
        // With keys, so that what is said of them is tested too, and with SQL of both kinds.
        let folder = try TemporaryDirectory()
        try folder.write(
            "top_pages.sql",
            """
            -- param: days integer = 7 [1..90]
            -- param: status integer optional
            SELECT json_extract(data, '$.path') AS path, count(*) AS views FROM events
            WHERE time >= :now - :days * 86400000
                AND (:status IS NULL OR json_extract(data, '$.status') = :status)
            GROUP BY path ORDER BY views DESC
            """)
        let keyed = try KeyedService(
            [PlantedKey.everything], ["--enable-sql", "--queries-dir", folder.path])
        try expectNoFindings(keyed.service, key: PlantedKey.everything.text)
        #expect(try keyed.service.terminate() == .exited(0))
    }

    @Test func `what Redis and a sink add is as described too`() throws {
        // It takes some, refuses some, and fails now and then.
        let receiver = try Receiver { _, number in .status([200, 400, 503][number % 3]) }
        let folder = try TemporaryDirectory()
        try folder.write("keys.yaml", PlantedKey.everything.yaml)
        let cluster = try SinkCluster(
            receiver, ["--keys-file", folder.file("keys.yaml")], nodes: [("a", "serve")])
        let service = cluster.nodes[0]
        service.headers.withLock { $0 = PlantedKey.everything.header }
        try service.waitUntilStreamsAre("ok")
        try cluster.post(0..<10, to: 0)
        try service.waitUntilStreamsAreDrained()
        try service.wait(until: "what is to be checked is there") {
            let status = try service.get("/status").json()
            return status["stream"]?["server"]?["version"]?.string != nil
                && status["breakers"]?["streams"]?["state"]?.string == "closed"
                && status["sinks"]?["audit"]?["delivered"]?.integer ?? 0 > 0
        }
        try expectNoFindings(
            service,
            of: ["getStatus", "getReadiness", "getMetrics", "getDeadLetters", "putBreaker"],
            key: PlantedKey.everything.text)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `a client made of the contract sends events and asks about them`() throws {
        let service = try RunningService.start()
        try expectSuccess("client", service)
        #expect(try service.terminate() == .exited(0))
    }

    /// - Parameters:
    ///   - operations: those to test; all, if empty.
    ///   - key: what the service asks for; nil if it asks for none.
    private func expectNoFindings(
        _ service: RunningService, of operations: [String] = [], key: String? = nil
    ) throws {
        try expectSuccess("run", service, operations, key: key)
    }

    /// Runs a program of Tests/Contract against `service`.
    private func expectSuccess(
        _ program: String, _ service: RunningService, _ arguments: [String] = [],
        key: String? = nil
    ) throws {
        let output = service.directory.file("contract")
        let run = try ChildProcess(
            [
                MillraceBinary.packageRoot + "/Tests/Contract/" + program,
                "http://127.0.0.1:\(service.port)",
            ] + arguments,
            environment: ["EXAMPLES": "\(FaultForm.pick(short: 20, long: 50))"].merging(
                key.map { ["KEY": $0] } ?? [:]
            ) { $1 },
            output: output, errors: output)
        let status = run.exit(within: .seconds(300))
        let findings = String(decoding: (FileSystem.read(output) ?? []).suffix(8000), as: UTF8.self)
        #expect(status == .exited(0), "\(findings)")
    }

    @Test func `every described path allows the methods described for it and no others`() throws {
        let service = try RunningService.start()
        let described = try ContractDocument(service).paths
        #expect(described.count >= 10)
        for (path, methods) in described {
            let reply = try service.request("OPTIONS", path)
            let allowed = (reply.header("Allow") ?? "").split(separator: ", ").map(String.init)
            let implied = methods.contains("GET") ? ["HEAD", "OPTIONS"] : ["OPTIONS"]
            #expect(reply.status == 204 && Set(allowed) == methods.union(implied), "\(path)")
        }
    }
}
