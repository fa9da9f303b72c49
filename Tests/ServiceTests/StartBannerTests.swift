import Testing

@testable import Service

@Suite struct StartBannerTests {
    @Test func `says in one line where it listens, what is on and off, and where to go next`()
        throws
    {
        let configuration = try Configuration.load(flags: ["port": "0", "retention": "90d"])
        let line = StartBanner(configuration, port: 41_234).line
        #expect(line.hasPrefix("millrace \(Version.current) listens on http://127.0.0.1:41234 "))
        #expect(line.contains("journal sync always"))
        #expect(line.contains("retention 90d"))
        #expect(line.contains("CORS off"))
        #expect(line.contains("curl http://127.0.0.1:41234/healthz"))
        #expect(!line.contains("\n"))
    }

    @Test func `brackets an IPv6 address`() throws {
        let configuration = try Configuration.load(flags: ["host": "::1"])
        #expect(StartBanner(configuration, port: 80).line.contains("http://[::1]:80"))
    }
}
