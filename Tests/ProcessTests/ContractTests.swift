import Testing
import TestSupport

/// The served openapi.yaml against the server that serves it.
@Suite struct ContractTests {
    @Test func `schemathesis finds nothing`() async throws {
        let service = try RunningService.start()
        try await expectNoFindings(service)
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `what Redis and a sink add is as described too`() async throws {
        // It takes some, refuses some, and fails now and then.
        let receiver = try Receiver { _, number in .status([200, 400, 503][number % 3]) }
        let cluster = try SinkCluster(receiver, nodes: [("a", "serve")])
        let service = cluster.nodes[0]
        try service.waitUntilStreamsAre("ok")
        try cluster.post(0..<10, to: 0)
        try service.waitUntilStreamsAreDrained()
        try service.wait(until: "what is to be checked is there") {
            let status = try service.get("/status").json()
            return status["stream"]?["server"]?["version"]?.string != nil
                && status["breakers"]?["streams"]?["state"]?.string == "closed"
                && status["sinks"]?["audit"]?["delivered"]?.integer ?? 0 > 0
        }
        try await expectNoFindings(
            service,
            of: ["getStatus", "getReadiness", "getMetrics", "getDeadLetters", "putBreaker"])
        #expect(try service.terminate() == .exited(0))
    }

    @Test func `a client made of the contract sends events and asks about them`() async throws {
        let service = try RunningService.start()
        try await expectSuccess("client", service)
        #expect(try service.terminate() == .exited(0))
    }

    /// - Parameter operations: those to test; all, if empty.
    private func expectNoFindings(
        _ service: RunningService, of operations: [String] = []
    ) async throws {
        try await expectSuccess("run", service, operations)
    }

    /// Runs a program of Tests/Contract against `service`.
    private func expectSuccess(
        _ program: String, _ service: RunningService, _ arguments: [String] = []
    ) async throws {
        let output = service.directory.file("contract")
        let run = try ChildProcess(
            [
                MillraceBinary.packageRoot + "/Tests/Contract/" + program,
                "http://127.0.0.1:\(service.port)",
            ] + arguments, output: output, errors: output)
        // Awaited, not blocked for: the thread belongs to all tests.
        for _ in 0..<3000 * slowness where run.isRunning {
            try await Task.sleep(for: .milliseconds(100))
        }
        let status = run.kill()
        let findings = String(decoding: (FileSystem.read(output) ?? []).suffix(8000), as: UTF8.self)
        #expect(status == .exited(0), "\(findings)")
    }

    @Test func `every described path allows the methods described for it and no others`() throws {
        let service = try RunningService.start()
        let described = paths(in: try service.get("/openapi.yaml").text)
        #expect(described.count >= 10)
        for (path, methods) in described {
            let reply = try service.request("OPTIONS", path)
            let allowed = (reply.header("Allow") ?? "").split(separator: ", ").map(String.init)
            let implied = methods.contains("GET") ? ["HEAD", "OPTIONS"] : ["OPTIONS"]
            #expect(reply.status == 204 && Set(allowed) == methods.union(implied), "\(path)")
        }
    }

    /// The paths of an OpenAPI document in YAML and their methods, by indentation: two spaces in
    /// front of a path, four in front of a method.
    private func paths(in document: String) -> [String: Set<String>] {
        var found: [String: Set<String>] = [:]
        var path = ""
        for line in document.split(separator: "\n") {
            let name = line.drop { $0 == " " }.prefix { $0 != ":" }
            switch line.prefix(while: { $0 == " " }).count {
            case 0: path = ""
            case 2 where name.hasPrefix("/"): path = String(name)
            case 4 where !path.isEmpty && name != "parameters":
                found[path, default: []].insert(name.uppercased())
            default: continue
            }
        }
        return found
    }
}
