import Testing

@testable import HTTPServer

/// The guard without a socket; `GuardTests` has its rows as they come over one.
@Suite struct RequestGuardTests {
    private func code(
        _ method: String, _ target: String, _ headers: [(String, String)], isHTTP10: Bool = false,
        isWhole: Bool = true, limit: Int = 32 << 10
    ) -> String? {
        let bytes = Array(method.utf8)
        let request = Request(
            bytes.withUnsafeBytes { HTTPMethod($0) }, target, headers: headers)
        request.isHTTP10 = isHTTP10
        do {
            try bytes.withUnsafeBytes {
                try RequestGuard.check(
                    request, method: $0, isWhole: isWhole, headerLimitBytes: limit)
            }
            return nil
        } catch {
            let refusal = error as? Refusal
            #expect([400, 414, 431, 501].contains(refusal?.status))
            return refusal?.code
        }
    }

    private let host = [("Host", "a")]

    @Test(arguments: ["GET", "M-SEARCH", "!#$%&'*+-.^_`|~09azAZ"])
    func `takes any token for a method`(_ method: String) {
        #expect(code(method, "/", host) == nil)
    }

    @Test(arguments: ["", "G T", "G/T", "G\"T", "G\u{7F}", "ä", "G,T", "G;T", "G=T", "{GET}"])
    func `refuses a method that is no token`(_ method: String) {
        #expect(code(method, "/", host) == "invalid_method")
    }

    @Test(
        arguments: [
            ("/", nil), ("/a?b=%00", nil), ("/ä", nil), ("/a#b", nil), ("", "invalid_target"),
            ("a", "invalid_target"), ("*", "invalid_target"), ("/%", "invalid_target"),
            ("/%00", "invalid_target"), ("/\u{1F}", "invalid_target"),
            ("/?\u{1F}", "invalid_target"),
            ("/?a b", "invalid_target"),
        ] as [(String, String?)])
    func `judges the target`(_ target: String, _ expected: String?) {
        #expect(code("GET", target, host) == expected)
    }

    @Test func `takes the asterisk for OPTIONS alone`() {
        #expect(code("OPTIONS", "*", host) == nil)
        #expect(code("HEAD", "*", host) == "invalid_target")
        #expect(code("OPTIONS", "*a", host) == "invalid_target")
    }

    @Test(
        arguments: [
            ([("Content-Length", "0")], nil), ([("Content-Length", "007")], nil),
            ([("Content-Length", "")], "invalid_content_length"),
            ([("Content-Length", "+1")], "invalid_content_length"),
            ([("Content-Length", "1 ")], "invalid_content_length"),
            ([("Content-Length", "1,1")], "invalid_content_length"),
            ([("content-length", "1"), ("Content-Length", "1")], "duplicate_content_length"),
            ([("Transfer-Encoding", "CHUNKED")], nil),
            ([("Transfer-Encoding", "chunked;x")], "unsupported_transfer_encoding"),
            ([("Transfer-Encoding", "")], "unsupported_transfer_encoding"),
            ([("Transfer-Encoding", "chunked, chunked")], "unsupported_transfer_encoding"),
            ([("Transfer-Encoding", "chunked"), ("Content-Length", "1")], "ambiguous_length"),
            (
                [("Transfer-Encoding", "chunked"), ("transfer-encoding", "chunked")],
                "invalid_transfer_encoding"
            ),
            ([("HOST", "b")], "duplicate_host"), ([("X A", "b")], "invalid_header"),
            ([("", "b")], "invalid_header"), ([("X", "a\u{0}b")], "invalid_header"),
            ([("X", "a\tb")], nil), ([("X", "ä")], nil), ([("X", "a\nb")], "invalid_header"),
        ] as [([(String, String)], String?)])
    func `judges the fields`(_ fields: [(String, String)], _ expected: String?) {
        #expect(code("POST", "/", host + fields) == expected)
    }

    @Test func `wants a Host of HTTP 1.1 and no Transfer-Encoding of HTTP 1.0`() {
        #expect(code("GET", "/", []) == "missing_host")
        #expect(code("GET", "/", [], isHTTP10: true) == nil)
        let chunked = [("Transfer-Encoding", "chunked")]
        #expect(code("POST", "/", chunked, isHTTP10: true) == "invalid_transfer_encoding")
    }

    @Test func `limits target and header`() {
        let long = "/" + String(repeating: "a", count: 8191)
        #expect(code("GET", long, host) == nil)
        #expect(code("GET", long + "a", host) == "target_too_long")
        #expect(code("GET", "/", host, limit: 10) == nil)
        #expect(code("GET", "/a", host + [("a", "b")], limit: 16) == "header_too_large")
        #expect(code("GET", "/", host, isWhole: false) == "invalid_header")
    }
}
