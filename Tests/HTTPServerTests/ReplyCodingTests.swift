import Primitives
import Testing

@testable import HTTPServer

@Suite struct ReplyCodingTests {
    @Test(arguments: [
        ("gzip", true), ("GZIP", true), ("gzip;q=1", true), ("gzip;q=0.5", true),
        ("gzip; q=0.001", true), ("gzip;q=0", false), ("gzip; q=0.000", false), ("gzip;Q=0", false),
        ("deflate, gzip", true), ("deflate,gzip", true), ("br;q=1.0, gzip;q=0.8, *;q=0.1", true),
        ("*", true), ("*;q=0", false), ("*;q=0, gzip", true), ("*, gzip;q=0", false),
        ("gzip;q=0, *", false), ("identity", false), ("", false), (",", false), (" ", false),
        ("xgzip", false), ("gzipx", false), ("gzip x", false), (";q=1", false),
        (",,gzip,,", true), ("\tgzip\t", true), ("identity;q=0", false),
    ])
    func `reads what a client accepts`(_ header: String, _ isAccepted: Bool) {
        Array(header.utf8).withUnsafeBytes {
            #expect(ReplyCoding.accepts($0, "gzip") == isAccepted)
        }
    }

    private func apply(_ response: Response, accepting header: String?) -> Response {
        var headers = HeaderList()
        if let header { headers.append(name: "Accept-Encoding", value: header) }
        return ReplyCoding.apply(response, headers)
    }

    @Test func `compresses what is large`() {
        let large = Response.text(200, String(repeating: "a", count: 1025))
        let coded = apply(large, accepting: "gzip")
        #expect(coded.header("Content-Encoding") == "gzip")
        #expect(coded.header("Vary") == "Accept-Encoding")
        #expect(apply(large, accepting: nil).header("Content-Encoding") == nil)
        #expect(apply(large, accepting: nil).header("Vary") == "Accept-Encoding")
    }

    @Test func `a reply that takes longer than its deadline leaves as it is`() {
        var large = Response.text(200, String(repeating: "a", count: 4 << 20))
        large.codingDeadline = .after(.zero)
        let late = apply(large, accepting: "gzip")
        #expect(late.header("Content-Encoding") == nil)
        #expect(late.header("Vary") == "Accept-Encoding")
        #expect(late.bodyText.utf8.count == 4 << 20)
        large.codingDeadline = .after(.seconds(3600))
        #expect(apply(large, accepting: "gzip").header("Content-Encoding") == "gzip")
        // What takes no time is worth it at any time.
        var small = Response.text(200, String(repeating: "a", count: 5000))
        small.codingDeadline = .after(.zero)
        #expect(apply(small, accepting: "gzip").header("Content-Encoding") == "gzip")
    }

    @Test func `leaves small, coded, fixed and streaming replies alone`() {
        var coded = Response.text(200, String(repeating: "a", count: 5000))
        coded.add("Content-Encoding", "br")
        let alone = [
            Response.text(200, String(repeating: "a", count: 1024)), coded,
            Response(200, body: .fixed("x")), Response(204),
            Response(200, body: .stream(EventStream())),
        ]
        for response in alone {
            let after = apply(response, accepting: "gzip")
            #expect(after.headers.count == response.headers.count)
            #expect(after.bodyText == response.bodyText)
        }
    }

    @Test func `an event loop compresses what is small`() {
        var headers = HeaderList()
        headers.append(name: "Accept-Encoding", value: "gzip")
        for (count, isCoded) in [(1025, true), (16 << 10, true), (16 << 10 + 1, false)] {
            let response = Response.text(200, String(repeating: "a", count: count))
            let coded = ReplyCoding.apply(response, headers, isOnLoop: true)
            #expect(coded.header("Content-Encoding") == (isCoded ? "gzip" : nil), "\(count)")
            #expect(
                ReplyCoding.apply(response, headers).header("Content-Encoding") == "gzip")
        }
    }

    @Test func `what is longer than any client has a use for is not looked at`() {
        let long = String(repeating: "x,", count: 1100) + "gzip"
        #expect(
            apply(.text(200, String(repeating: "a", count: 5000)), accepting: long)
                .header("Content-Encoding") == nil)
    }
}
