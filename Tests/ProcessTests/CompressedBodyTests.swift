import Primitives
import Testing
import TestSupport

/// Bodies that come packed, honest ones and others.
@Suite(.processes) struct CompressedBodyTests {
    private let service: RunningService

    init() throws { service = try RunningService.start() }

    private func post(_ body: [UInt8], _ coding: String) throws -> ClientReply {
        try service.post(
            "/events?ack=stored", body, type: "application/x-ndjson",
            headers: ["Content-Encoding": coding])
    }

    private func gzip(_ bytes: [UInt8]) -> [UInt8] {
        let packed = bytes.withUnsafeBytes { gzipCompress($0) }
        return withExtendedLifetime(packed) { Array(packed.span) }
    }

    @Test func `gzip of one member and of many is one body`() throws {
        let log = AccessLog(count: 1000)
        #expect(try post(gzip(log.ndjson), "gzip").json()["accepted"] == .integer(1000))
        // Members may end in the middle of a line, and may be empty.
        let part = log.ndjson.count / 3 + 7
        let members =
            [Array(log.ndjson[..<part]), [], Array(log.ndjson[part...])].flatMap(gzip)
        #expect(try post(members, "gzip").json()["accepted"] == .integer(1000))
        #expect(try service.row("count,uniq:id") == [.integer(1000), .integer(1000)])
    }

    @Test func `deflate is understood with its container and without`() throws {
        let raw = deflated("{\"type\":\"raw\"}\n")
        #expect(try post(raw, "deflate").status == 200)
        #expect(try post(zlibContainer(raw, of: "{\"type\":\"raw\"}\n"), "deflate").status == 200)
        #expect(try service.row("count", "&event=raw") == [.integer(2)])
    }

    @Test func `a query may come packed too, in no coding that is unknown`() throws {
        #expect(try post(gzip(Array("{\"type\":\"packed\"}\n".utf8)), "gzip").status == 200)
        let query = gzip(Array(#"{"metric":"count","event":"packed"}"#.utf8))
        func ask(_ coding: String) throws -> ClientReply {
            try service.post(
                "/query", query, type: "application/json", headers: ["Content-Encoding": coding])
        }
        let reply = try ask("gzip")
        #expect(reply.status == 200, "\(reply.text)")
        #expect(try reply.json()["rows"]?[0]?[0] == .integer(1))
        #expect(try ask("br").status == 415)
    }

    @Test func `what is no gzip, is cut or has a wrong checksum is refused`() throws {
        let good = gzip(AccessLog(count: 100).ndjson)
        var flipped = good
        flipped[good.count - 6] ^= 1
        for body in [Array(good.dropLast(9)), flipped, Array("plain".utf8), [], good + [1, 2, 3]] {
            let reply = try post(body, "gzip")
            #expect(reply.status == 400, "\(reply.text)")
        }
        #expect(try service.storedCount() == 0)
    }

    @Test func `a bomb is refused early, and others are served meanwhile`() throws {
        // 1 GiB of spaces in members of 1 MiB, a thousandth of it on the wire.
        let member = gzip([UInt8](repeating: 32, count: 1 << 20))
        let bomb = Array(repeatElement(member, count: 1024).joined())
        let before = service.residentBytes
        let clients = try (0..<8).map { _ in try service.connect() }
        for client in clients {
            try client.send(
                "POST", "/events",
                headers: ["Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"],
                body: bomb)
        }
        #expect(try service.get("/healthz").status == 200)
        for client in clients {
            let reply = try client.receive()
            #expect(reply.status == 413 && reply.text.contains("\"limit\":"), "\(reply.text)")
        }
        let growth = service.residentBytes - before
        print("gzip bomb: \(bomb.count >> 10) KiB for 1 GiB, 8 at once; grew \(growth >> 20) MiB")
        #expect(growth < 160 << 20 || MillraceBinary.isSanitized == true)
    }

    @Test func `what bodies inflate to is bounded together, and comes back`() throws {
        let service = try RunningService.start([
            "--body-limit", "1MiB", "--decompressed-limit", "8MiB", "--body-memory", "12MiB",
        ])
        let packed = gzip(AccessLog(count: 20_000).ndjson)
        let clients = try (0..<12).map { _ in try service.connect() }
        for client in clients {
            try client.send(
                "POST", "/events",
                headers: ["Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"],
                body: packed)
        }
        var refused = 0
        for client in clients {
            let reply = try client.receive()
            if reply.status == 202 { continue }
            refused += 1
            #expect(reply.status == 503 && reply.header("Retry-After") == "1", "\(reply.text)")
            #expect(try reply.json()["code"]?.string == "body_budget")
        }
        try service.wait(until: "all memory is back") {
            try service.get("/status").json()["http"]?["body_bytes"]?.integer == 0
        }
        let http = try service.get("/status").json()["http"]
        #expect(http?["refused_bodies"]?.integer == refused)
        #expect(http?["max_body_bytes"]?.integer == 12 << 20)
        #expect(
            try service.get("/metrics").text.contains(
                "millrace_http_refused_bodies_total \(refused)\n"))
        print("12 compressed bodies at once: \(refused) refused")
        #expect(refused < 12)
    }

    /// One stored block (RFC 1951, section 3.2.4).
    private func deflated(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        let count = UInt16(bytes.count)
        let sizes = [count, ~count].flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
        return [1] + sizes + bytes
    }

    /// RFC 1950: a header, the stream, Adler-32.
    private func zlibContainer(_ raw: [UInt8], of text: String) -> [UInt8] {
        var (low, high): (UInt32, UInt32) = (1, 0)
        for byte in text.utf8 {
            low = (low + UInt32(byte)) % 65_521
            high = (high + low) % 65_521
        }
        let sum = high << 16 | low
        return [0x78, 0x01] + raw + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: sum >> $0) }
    }
}
