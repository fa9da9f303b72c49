import Primitives
import Testing

/// A member with its bytes copied.
private struct Member: Equatable {
    var key: String
    var raw: String
    var kind: JSONKind
    var text = ""
}

private func members(_ text: String, maxDepth: Int = 32) throws -> [Member] {
    let buffer = ByteBuffer(text)
    let parser = JSONParser(maxDepth: maxDepth)
    let found = try parser.members(of: buffer.span)
    return withExtendedLifetime(parser) {
        (0..<found.count).map { index in
            let member = found[index]
            return Member(
                key: String(decoding: member.key, as: UTF8.self),
                raw: String(decoding: member.raw, as: UTF8.self), kind: member.kind,
                text: String(decoding: member.text, as: UTF8.self))
        }
    }
}

struct JSONMembersTests {
    @Test func `gives each member its key, kind and bytes as they were sent`() throws {
        let text = """
             { "a" : 1 , "b":[1, {"x":"]"}] ,"c":"q\\"}\\u0041", "d":{ } , "e":true,"f":false,
            "g":null,"h":1.50 , "i":18446744073709551615 } \t
            """
        #expect(
            try members(text) == [
                Member(key: "a", raw: "1", kind: .integer),
                Member(key: "b", raw: "[1, {\"x\":\"]\"}]", kind: .array),
                Member(key: "c", raw: "\"q\\\"}\\u0041\"", kind: .string, text: "q\"}A"),
                Member(key: "d", raw: "{ }", kind: .object),
                Member(key: "e", raw: "true", kind: .true),
                Member(key: "f", raw: "false", kind: .false),
                Member(key: "g", raw: "null", kind: .null),
                Member(key: "h", raw: "1.50", kind: .double),
                Member(key: "i", raw: "18446744073709551615", kind: .unsigned),
            ])
    }

    @Test func `takes an integer beyond 64 bits for a double and keeps its digits`() throws {
        let large = "-123456789012345678901"
        let text = #"{"a":"\#(large)","b": [\#(large)] ,"c":\#(large),"d":"x"}"#
        #expect(
            try members(text) == [
                Member(key: "a", raw: "\"\(large)\"", kind: .string, text: large),
                Member(key: "b", raw: "[\(large)]", kind: .array),
                Member(key: "c", raw: large, kind: .double),
                Member(key: "d", raw: "\"x\"", kind: .string, text: "x"),
            ])
    }

    @Test func `resolves escapes in keys and keeps them in the raw key`() throws {
        let buffer = ByteBuffer(#"{"typ\u0065" :"x"}"#)
        let parser = JSONParser(maxDepth: 4)
        let found = try parser.members(of: buffer.span)
        withExtendedLifetime(parser) {
            #expect(String(decoding: found[0].key, as: UTF8.self) == "type")
            #expect(String(decoding: found[0].rawKey, as: UTF8.self) == #""typ\u0065""#)
        }
    }

    @Test(arguments: ["{}", " { } ", "{\n}"])
    func `finds no members in an empty object`(text: String) throws {
        #expect(try members(text).isEmpty)
    }

    @Test(arguments: [
        (#"{"a":1,"b":2}"#, false), (#"{"a":1,"a":2}"#, true), (#"{"a":1,"\u0061":2}"#, true),
        (#"{"a":{"b":1,"b":2}}"#, false), (#"{"":1,"":2}"#, true), (#"{"":1,"a":2}"#, false),
        (#"{"ab":1,"ba":2}"#, false),
    ])
    func `tells of keys that occur twice on the first level`(text: String, expected: Bool) throws {
        let buffer = ByteBuffer(text)
        #expect(
            try JSONParser(maxDepth: 4).members(of: buffer.span).hasDuplicateKey == expected)
    }

    @Test(arguments: [17, 100, 40_000])
    func `tells of one double key among many`(count: Int) throws {
        let keys = (0..<count).map { "\"k\($0)\":\($0)" }
        let parser = JSONParser(maxDepth: 4)
        let unique = ByteBuffer("{" + keys.joined(separator: ",") + "}")
        #expect(try parser.members(of: unique.span).hasDuplicateKey == false)
        let double = ByteBuffer("{" + (keys + ["\"k7\":0"]).joined(separator: ",") + "}")
        #expect(try parser.members(of: double.span).hasDuplicateKey)
        #expect(try parser.members(of: double.span).count == count + 1)
    }

    @Test(arguments: [
        ("", JSONError.empty), ("  \n", .empty), ("[1]", .notObject), ("1", .notObject),
        ("{\"a\":1e400}", .numberOutOfRange),
        ("{\"a\":[0,-\(String(repeating: "9", count: 310))]}", .numberOutOfRange),
        ("{\"a\":123456789012345678901,\"b\":1e400}", .numberOutOfRange),
        ("{\"a\":0123456789012345678901}", .invalid),
        ("{\"a\":123456789012345678901x}", .invalid),
        ("{\"a\":01}", .invalid), ("{\"a\":1.}", .invalid), ("{\"a\":-}", .invalid),
        ("{\"a\":1e400,\"b\":01}", .invalid), ("{\"a\":1} {}", .trailingContent),
        ("{\"a\":1}}", .trailingContent), ("{\"a\":1,}", .invalid), ("{\"a\" 1}", .invalid),
        ("{\"a\":[}", .invalid), ("{a:1}", .invalid), ("{\"a\":nul}", .invalid),
        ("{\"a\":\"\u{1}\"}", .invalid), ("{\"a\":\"b", .invalid), ("{", .invalid), ("}", .invalid),
        ("{\"a\":\"\\ud800\"}", .invalid), ("{\"a\":\"\\udc00\"}", .invalid),
        ("{\"a\":\"\\ud800\\u0041\"}", .invalid), ("{\"a\":\"\\x\"}", .invalid),
    ])
    func `says what is wrong`(text: String, expected: JSONError) {
        let buffer = ByteBuffer(text)
        let parser = JSONParser(maxDepth: 32)
        #expect(
            failure { () throws(JSONError) in try parser.members(of: buffer.span) } == expected)
    }

    @Test(arguments: [
        [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82],
    ])
    func `refuses what is not UTF-8`(bytes: [UInt8]) {
        var buffer = ByteBuffer("{\"a\":\"")
        buffer.append(contentsOf: bytes)
        buffer.append("\"}")
        let span = buffer.span
        let parser = JSONParser(maxDepth: 32)
        #expect(failure { () throws(JSONError) in try parser.members(of: span) } == .notUTF8)
    }

    @Test(arguments: 1...5) func `allows exactly the depth it was made for`(depth: Int) throws {
        for inner in ["", "1"] {
            let nested = { (levels: Int) in
                "{\"a\":" + String(repeating: "[", count: levels - 1) + (levels > 1 ? inner : "1")
                    + String(repeating: "]", count: levels - 1) + "}"
            }
            #expect(try members(nested(depth), maxDepth: depth).count == 1)
            #expect(throws: JSONError.tooDeep) { try members(nested(depth + 1), maxDepth: depth) }
        }
    }

    @Test func `calls deep texts too deep if they end and invalid if they do not`() {
        let parser = JSONParser(maxDepth: 8)
        let open = String(repeating: "[", count: 5000)
        let unfinished = ByteBuffer(open)
        #expect(throws: JSONError.invalid) { try parser.members(of: unfinished.span).count }
        let finished = ByteBuffer(open + String(repeating: "]", count: 5000))
        #expect(throws: JSONError.tooDeep) { try parser.members(of: finished.span).count }
    }

    @Test func `is ready for the next text after any refusal`() throws {
        let parser = JSONParser(maxDepth: 8)
        let good = ByteBuffer(#"{"a":"b"}"#)
        for bad in ["", "{", "[1]", "{\"a\":1e999}", "{}x"] {
            let bad = ByteBuffer(bad)
            #expect(failure { () throws(JSONError) in try parser.members(of: bad.span) } != nil)
            #expect(try parser.members(of: good.span).count == 1)
        }
    }

    @Test func `reads a slice whatever stands behind it`() throws {
        let buffer = ByteBuffer(#"{"a":12}3456"} trailing"#)
        let slice = UnsafeRawBufferPointer(rebasing: buffer.span[..<8])
        let parser = JSONParser(maxDepth: 4)
        let found = try parser.members(of: slice)
        withExtendedLifetime(parser) {
            #expect(String(decoding: found[0].raw, as: UTF8.self) == "12")
        }
    }

    @Test func `gives spans that read back as the same values in random objects`() throws {
        var json = RandomJSON(random: .printingSeed("member spans"))
        let parser = JSONParser(maxDepth: 16)
        for _ in 0..<2000 {
            let text = json.space() + json.object(depth: 4, uniqueKeys: true) + json.space()
            let buffer = ByteBuffer(text)
            guard case .object(let expected) = try JSONValue.parse(text) else {
                Issue.record("no object: \(text)")
                return
            }
            let found = try parser.members(of: buffer.span)
            try #require(found.count == expected.count)
            #expect(found.hasDuplicateKey == false)
            for (index, (key, value)) in expected.enumerated() {
                #expect(String(decoding: found[index].key, as: UTF8.self) == key)
                #expect(try JSONValue.parse(found[index].raw) == value)
                #expect(try JSONValue.parse(found[index].rawKey) == .string(key))
                #expect(!JSONScan.isSpace(found[index].raw[0]))
                #expect(JSONScan.valueLength(found[index].raw) == found[index].raw.count)
            }
        }
    }

    @Test func `never reads beyond a text that was cut or changed`() {
        var json = RandomJSON(random: .printingSeed("damaged objects"))
        let parser = JSONParser(maxDepth: 8)
        for _ in 0..<3000 {
            var bytes = Array(json.object(depth: 3, uniqueKeys: false).utf8)
            bytes.removeLast(Int.random(in: 0..<bytes.count, using: &json.random))
            for _ in 0..<Int.random(in: 0...3, using: &json.random) where !bytes.isEmpty {
                bytes[Int.random(in: 0..<bytes.count, using: &json.random)] = UInt8.random(
                    in: 0 ... .max, using: &json.random)
            }
            var buffer = ByteBuffer(capacity: bytes.count)
            buffer.append(contentsOf: bytes)
            guard let found = try? parser.members(of: buffer.span) else { continue }
            let text = String(decoding: bytes, as: UTF8.self)
            #expect(JSONSyntax.fault(in: buffer.span)?.offset == nil, "\(text)")
            for index in 0..<found.count {
                #expect((try? JSONValue.parse(found[index].raw)) != nil, "\(text)")
            }
        }
    }
}
