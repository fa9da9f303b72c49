import Testing

@testable import Service

@Suite struct HealthTargetTests {
    @Test(
        arguments: [
            ("http://localhost:8080", "localhost:8080", nil),
            ("http://10.0.0.7", "10.0.0.7:80", nil),
            ("http://[::1]:81/", "[::1]:81", nil),
            ("http://a.example:9/readyz", "a.example:9", "/readyz"),
        ] as [(String, String, String?)])
    func `reads a URL`(url: String, authority: String, path: String?) throws {
        let target = try #require(HealthTarget(url: url))
        #expect(target.authority == authority)
        #expect(target.path == path)
    }

    @Test(arguments: [
        "", "localhost:8080", "https://a.example", "http://", "http://:80", "http://a:0",
        "http://a:70000",
        "http://a b", "http://u:p@a", "http://a/x y", "http://a/\r\nX: y",
    ])
    func `refuses what is no URL of ours`(url: String) {
        #expect(HealthTarget(url: url) == nil)
    }

    @Test func `asks a service that listens everywhere on the loopback address`() {
        #expect(HealthTarget(listening: "0.0.0.0", port: 1).host == "127.0.0.1")
        #expect(HealthTarget(listening: "::", port: 1).authority == "[::1]:1")
        #expect(HealthTarget(listening: "10.1.1.1", port: 1).host == "10.1.1.1")
    }
}
