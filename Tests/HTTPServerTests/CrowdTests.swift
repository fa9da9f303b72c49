import Glibc
import Primitives
import TestSupport
import Testing

@testable import HTTPServer

/// Many connections at once, replies given at once and later mixed. 128 is where libmicrohttpd's own
/// loop falls asleep.
@Suite(.blocking, .serialized) struct CrowdTests {
    @Test(arguments: [64, 128, 129, 512, 2000], [1, 2])
    func `answers every connection of a crowd`(_ count: Int, _ loops: Int) throws {
        let server = try TestServer { $0.loops = loops }
        let wires = try (0..<count).map { _ in try server.connect(timeout: .seconds(60)) }
        for round in 0..<(count > 500 ? 1 : 3) {
            for (index, wire) in wires.enumerated() { try ask(wire, index, round) }
            for (index, wire) in wires.enumerated() {
                let reply = try wire.receive()
                #expect(reply.status == 200)
                #expect(reply.text == expected(index, round))
            }
        }
        #expect(server.server.openConnections == count)
    }

    private func ask(_ wire: ClientConnection, _ index: Int, _ round: Int) throws {
        switch (index + round) % 8 {
        case 0: try wire.send("POST", "/later", body: "\(index)-\(round)")
        case 1 where index % 16 == 1: try wire.send("GET", "/slow?ms=7")
        case 2: try wire.send("POST", "/echo", body: "\(index)-\(round)")
        case 3: try wire.send("GET", "/big?bytes=3000")
        default: try wire.send("GET", "/items/\(index)")
        }
    }

    private func expected(_ index: Int, _ round: Int) -> String {
        switch (index + round) % 8 {
        case 0, 2: "\(index)-\(round)"
        case 1 where index % 16 == 1: "7"
        case 3: String(repeating: "x", count: 3000)
        default: "\(index)"
        }
    }
}
