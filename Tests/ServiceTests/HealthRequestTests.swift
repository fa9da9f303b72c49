import Primitives
import Testing
import TestSupport

@testable import Service

@Suite(.blocking) struct HealthRequestTests {
    private func ask(
        _ port: Int, timeout: Duration = .seconds(5)
    ) throws(HealthRequest.Failure) -> String {
        try HealthRequest(
            target: HealthTarget(listening: "127.0.0.1", port: port), path: "/healthz",
            timeout: timeout
        ).send()
    }

    @Test func `a 200 is well`() throws {
        let server = try OneAnswer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        #expect(try ask(server.port) == "http://127.0.0.1:\(server.port)/healthz answered 200")
        #expect(server.request().hasPrefix("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:"))
    }

    @Test(arguments: [
        ("HTTP/1.1 503 Service Unavailable\r\n\r\n", "answered 503"),
        ("HTTP/1.1 204 No Content\r\n\r\n", "answered 204"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "answered with something that is not HTTP"),
        ("", "closed the connection without an answer"),
        ("HTTP/1.1 200", "closed the connection without an answer"),
    ])
    func `anything else is not`(answer: String, reason: String) throws {
        let server = try OneAnswer(answer)
        let error = #expect(throws: HealthRequest.Failure.self) { try ask(server.port) }
        #expect(error?.description == "http://127.0.0.1:\(server.port)/healthz \(reason)")
    }

    @Test func `a service that hangs is not well, after the time that was given`() throws {
        let server = try OneAnswer(nil)
        let start = MonotonicTime.now()
        let error = #expect(throws: HealthRequest.Failure.self) {
            try ask(server.port, timeout: .milliseconds(50))
        }
        #expect(error?.description.hasSuffix("did not answer within 50ms") == true)
        #expect(MonotonicTime.now().since(start) < .seconds(5) * slowness)
    }

    @Test func `nobody there is not well`() {
        let error = #expect(throws: HealthRequest.Failure.self) { try ask(1) }
        #expect(error?.description.hasSuffix("cannot be reached: Connection refused") == true)
    }
}
