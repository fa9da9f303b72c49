import HTTPServer
import Testing

@testable import Service

/// Whose requests are answered where no keys are configured.
@Suite struct BrowserGuardTests {
    private func code(
        _ method: HTTPMethod, _ headers: [(String, String)], isLoopback: Bool = true,
        hosts: Set<String> = [], origins: [String] = [], target: String = "/events"
    ) -> String? {
        let browsers = BrowserGuard(
            isLoopback: isLoopback, allowedHosts: hosts, corsOrigins: origins)
        do throws(Problem) {
            try browsers.check(Request(method, target, headers: headers))
            return nil
        } catch {
            #expect(error.status == 403)
            return error.code
        }
    }

    @Test(arguments: [
        "localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:80", "127.1.2.3:9", "[::1]",
        "[::1]:8080", "",
    ])
    func `takes every name of this machine`(_ host: String) {
        #expect(code(.get, [("Host", host)]) == nil)
        #expect(code(.post, [("Host", host)]) == nil)
    }

    @Test(arguments: [
        "evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example",
        "10.0.0.1", "[::2]", "0.0.0.0", "millrace.internal", "localhost.",
    ])
    func `refuses another name, unless it is allowed or others may reach the service`(
        _ host: String
    ) {
        #expect(code(.get, [("Host", host)]) == "host_not_allowed")
        #expect(code(.get, [("Host", host)], isLoopback: false) == nil)
        let name = String(host.prefix { $0 != ":" })
        guard !host.hasPrefix("[") else { return }
        #expect(code(.get, [("Host", host.uppercased())], hosts: [name]) == nil)
    }

    @Test func `goes by the authority of a target in absolute form`() {
        let local = [("Host", "localhost")]
        #expect(code(.get, local, target: "http://evil.example/events") == "host_not_allowed")
        #expect(code(.get, [("Host", "evil.example")], target: "http://127.0.0.1:1/x") == nil)
        #expect(code(.get, []) == nil)
    }

    @Test(arguments: [
        (["Sec-Fetch-Site": "cross-site"], false), (["Sec-Fetch-Site": "same-site"], false),
        (["Sec-Fetch-Site": "same-origin"], true), (["Sec-Fetch-Site": "none"], true),
        (["Sec-Fetch-Site": "what"], false), (["Origin": "null"], false),
        (["Origin": "http://evil.example"], false), (["Origin": "http://localhost:8080"], true),
        (["Origin": "https://localhost:8080"], true), (["Origin": "http://localhost:9"], false),
        (["Origin": "http://localhost:8080", "Sec-Fetch-Site": "cross-site"], false),
        ([:], true),
    ])
    func `refuses what changes something and comes from another site`(
        _ fields: [String: String], _ isTaken: Bool
    ) {
        let headers = [("Host", "localhost:8080")] + fields.map { ($0.key, $0.value) }
        for method: HTTPMethod in [.post, .put, .delete, .patch, .other] {
            for isLoopback in [true, false] {
                #expect(
                    code(method, headers, isLoopback: isLoopback)
                        == (isTaken ? nil : "cross_site_request"))
            }
        }
        for method: HTTPMethod in [.get, .head, .options] { #expect(code(method, headers) == nil) }
    }

    @Test func `lets the configured origins in`() {
        let headers = [
            ("Host", "localhost"), ("Origin", "https://app.example"),
            ("Sec-Fetch-Site", "cross-site"),
        ]
        #expect(code(.post, headers, origins: ["https://app.example"]) == nil)
        #expect(code(.post, headers, origins: ["*"]) == nil)
        #expect(code(.post, headers, origins: ["https://b.example"]) == "cross_site_request")
        let two = headers + [("Sec-Fetch-Site", "same-origin")]
        #expect(code(.post, two) == "cross_site_request")
    }

    @Test func `reads allowed hosts in all three forms`() throws {
        let values = try Configuration.load(flags: ["allowed-hosts": "a.internal, B.internal"])
        #expect(values.allowedHosts == ["a.internal", "b.internal"])
        let variable = try Configuration.load(environment: ["MILLRACE_ALLOWED_HOSTS": "c"])
        #expect(variable.allowedHosts == ["c"])
        let file = try TemporaryFile("allowed: { hosts: d.internal }\ndrain-delay: 5s\n")
        let read = try file.use { try Configuration.load(flags: ["config": $0]) }
        #expect(read.allowedHosts == ["d.internal"] && read.drainDelay == .seconds(5))
        #expect(throws: ConfigurationError.self) {
            try Configuration.load(flags: ["allowed-hosts": "a:80"])
        }
    }
}
