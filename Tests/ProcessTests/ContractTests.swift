import Testing

/// The served openapi.yaml against the server that serves it.
@Suite struct ContractTests {
    @Test func `schemathesis finds nothing`() async throws {
        let service = try RunningService.start()
        let output = service.directory.file("schemathesis")
        let run = try ChildProcess(
            [
                MillraceBinary.packageRoot + "/Tests/Contract/run",
                "http://127.0.0.1:\(service.port)",
            ], output: output, errors: output)
        // Awaited, not blocked for: the thread belongs to all tests.
        for _ in 0..<1500 where run.isRunning { try await Task.sleep(for: .milliseconds(100)) }
        let status = run.kill()
        let findings = String(decoding: (readFile(output) ?? []).suffix(8000), as: UTF8.self)
        #expect(status == .exited(0), "\(findings)")
        #expect(try service.terminate() == .exited(0))
    }
}
