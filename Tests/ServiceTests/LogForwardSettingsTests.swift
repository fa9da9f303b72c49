import Testing

@testable import Service

@Suite struct LogForwardSettingsTests {
    @Test func `a forward is a name and its settings`() throws {
        #expect(try Configuration.load(yaml: "log-forwards: {}\n").logForwards.isEmpty)
        let forwards = try Configuration.load(
            yaml:
                """
                log-forwards:
                  loki: { url: "http://loki:3100/otlp/v1/logs" }
                  far:
                    url: https://far.example.com/v1/logs
                    level: warn
                    timeout: 2s
                    spool-max-bytes: 1GiB
                    authorization: Bearer abc
                    headers: { X-Team: a }
                """
        ).logForwards
        #expect(forwards.map(\.name) == ["far", "loki"])
        #expect(forwards[0].url == "https://far.example.com/v1/logs")
        #expect(forwards[0].minimumSeverity == 13)
        #expect(forwards[0].timeout == .seconds(2))
        #expect(forwards[0].spoolLimitBytes == 1 << 30)
        #expect(forwards[0].headers == ["Authorization": "Bearer abc", "X-Team": "a"])
        #expect(forwards[1].minimumSeverity == 0)
        #expect(forwards[1].spoolLimitBytes == 256 << 20)
    }

    @Test(arguments: [
        ("log-forwards: { a: { level: warn } }", "has no url"),
        ("log-forwards: { a: { url: \"ftp://x\" } }", "is not an http:// or https:// URL"),
        ("log-forwards: { a: { url: \"http://x\", level: loud } }", "is not one of trace"),
        ("log-forwards: { a: { url: \"http://x\", spool-max-bytes: 1MiB } }", "is not a size"),
        ("log-forwards: { a: { url: \"http://x\", urll: b } }", "did you mean url?"),
        (
            "log-forwards: { a: { url: \"http://x\", headers: { Content-Encoding: br } } }",
            "no header that can be set"
        ),
    ])
    func `what is wrong with one is told`(yaml: String, problem: String) throws {
        let found = try Configuration.problems(yaml: yaml)
        #expect(found.count == 1 && found[0].contains(problem), "\(found)")
    }

    @Test func `the export is off unless an endpoint is named`() throws {
        #expect(try Configuration.load().otlp == nil)
        let otlp = try Configuration.load(flags: [
            "otlp-endpoint": "http://127.0.0.1:4318", "otlp-headers": "a=b, c=d=e", "node": "n1",
        ]).otlp
        #expect(otlp?.endpoint == "http://127.0.0.1:4318")
        #expect(otlp?.headers.map { "\($0.name):\($0.value)" } == ["a:b", "c:d=e"])
        #expect(otlp?.instance == "n1")
        for flags in [["otlp-endpoint": "collector:4318"], ["otlp-headers": "abc"]] {
            #expect(Configuration.problems(flags: flags).count == 1)
        }
    }
}
