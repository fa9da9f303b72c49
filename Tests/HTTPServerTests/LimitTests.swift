import Glibc
import Primitives
import Testing
import TestSupport

@testable import HTTPServer

@Suite(.blocking) struct LimitTests {
    @Test func `refuses connections over the limit and serves the others on`() throws {
        let server = try TestServer { $0.maxConnections = 10 }
        var wires = try (0..<10).map { _ in try server.connect() }
        for wire in wires { #expect(try wire.ask("GET", "/hello").status == 200) }
        for _ in 0..<20 {
            let refused = try server.connect()
            let reply = try refused.receive()
            #expect(reply.status == 503)
            #expect(reply.problemCode == "too_many_connections")
            #expect(reply.header("Retry-After") == "1")
            #expect(reply.namesRequest && reply.problemInstance == nil)
            #expect(refused.isClosed())
        }
        #expect(server.server.refusedConnections == 20)
        for wire in wires { #expect(try wire.ask("GET", "/hello").text == "hello") }
        wires.removeLast(5)
        expectEventually { server.server.openConnections == 5 }
        for _ in 0..<5 {
            let wire = try server.connect()
            #expect(try wire.ask("GET", "/hello").text == "hello")
        }
    }

    @Test func `survives a flood over the limit`() throws {
        let server = try TestServer { $0.maxConnections = 2 }
        let wires = try (0..<2).map { _ in try server.connect() }
        for wire in wires { #expect(try wire.ask("GET", "/hello").status == 200) }
        let flood = try (0..<1500).map { _ in try server.connect() }
        expectEventually { server.server.refusedConnections == 1500 }
        for wire in wires { #expect(try wire.ask("GET", "/hello").text == "hello") }
        #expect(flood.count == 1500)
        #expect(server.server.openConnections == 2)
    }
}
