import Testing

@testable import Service

@Suite struct ConfigurationCheckTests {
    private func problem(_ flags: [String: String]) -> String? {
        do {
            _ = try Configuration.load(flags: flags)
            return nil
        } catch { return error.problems.first }
    }

    @Test(arguments: [
        "0.0.0.0", "::", "192.168.1.4", "10.0.0.1", "fe80::1", "example.com", "128.0.0.1",
    ])
    func `an address that others reach is refused without keys`(host: String) throws {
        let found = try #require(problem(["host": host]))
        #expect(found.hasPrefix("host (flag --host): `\(host)` can be reached from other machines"))
        #expect(found.contains("--insecure-no-auth"))
        #expect(found.contains("--keys-file"))
        #expect(problem(["host": host, "insecure-no-auth": "true"]) == nil)
        #expect(problem(["host": host, "keys-file": "keys.yaml"]) == nil)
    }

    @Test(arguments: ["127.0.0.1", "127.1.2.3", "::1", "0:0:0:0:0:0:0:1", "localhost", "LOCALHOST"])
    func `an address of this machine alone needs no keys`(host: String) {
        #expect(problem(["host": host]) == nil)
    }

    @Test(arguments: ["redis-url", "cache-redis-url"])
    func `a Redis cluster is refused and not taken for one server`(name: String) throws {
        let found = try #require(problem([name: "redis://a,b?cluster=true"]))
        #expect(found.hasPrefix("\(name) (flag --\(name)): "), "\(found)")
        #expect(found.contains("a Redis cluster"))
    }

    @Test func `limits that contradict each other are refused with what would be right`() throws {
        let bodies = try #require(problem(["body-limit": "100MiB"]))
        #expect(bodies.contains("decompressed-limit (default)"))
        #expect(bodies.contains("at least 100MiB"))
        let events = try #require(
            problem(["event-limit": "16MiB", "body-limit": "1MiB", "decompressed-limit": "8MiB"]))
        #expect(events.contains("at most 8MiB"))
        let memory = try #require(problem(["body-memory": "64MiB"]))
        #expect(memory.hasPrefix("body-memory (flag --body-memory) is less than"))
        #expect(memory.contains("at least 74MiB"))
        #expect(problem(["body-memory": "74MiB"]) == nil)
    }
}
