import Primitives
import TestSupport
import Testing

struct JSONValueTests {
    @Test func `reads every kind of value`() throws {
        let value = try JSONValue.parse(
            #" {"s":"a\n\u00e9😀","i":-7,"u":18446744073709551615,"d":1.5,"t":true,"f":false,"#
                + #""n":null,"a":[1,[],{}],"o":{"x":{"y":"z"}}} "#)
        #expect(
            value
                == .object([
                    ("s", .string("a\né😀")), ("i", .integer(-7)), ("u", .unsigned(.max)),
                    ("d", .double(1.5)), ("t", .bool(true)), ("f", .bool(false)), ("n", .null),
                    ("a", .array([.integer(1), .array([]), .object([])])),
                    ("o", .object([("x", .object([("y", .string("z"))]))])),
                ]))
        #expect(value["o"]?["x"]?["y"]?.text == "z")
        #expect(value["a"]?.elements?.count == 3)
        #expect(value["missing"] == nil)
    }

    @Test(arguments: [("1", JSONValue.integer(1)), ("\"\"", .string("")), ("null", .null)])
    func `reads a scalar alone`(text: String, expected: JSONValue) throws {
        #expect(try JSONValue.parse(text) == expected)
    }

    @Test func `keeps the larger integers exactly`() throws {
        #expect(try JSONValue.parse("9223372036854775807") == .integer(.max))
        #expect(try JSONValue.parse("-9223372036854775808") == .integer(.min))
        #expect(try JSONValue.parse("9223372036854775808") == .unsigned(1 << 63))
    }

    @Test func `reads an integer beyond 64 bits as the double nearest to it`() throws {
        var random = SeededGenerator.printingSeed("large integers")
        var texts = [
            "18446744073709551616", "-9223372036854775809", "9999999999999999999999",
            "1" + String(repeating: "0", count: 308), "[1]",
        ]
        for _ in 0..<2000 {
            let digits = (0..<Int.random(in: 18...307, using: &random)).map { _ in
                "\(Int.random(in: 0...9, using: &random))"
            }
            let first = "\(Int.random(in: 1...9, using: &random))"
            texts.append((Bool.random(using: &random) ? "-" : "") + first + digits.joined())
        }
        for text in texts where Int64(text) == nil && UInt64(text) == nil {
            let (value, list) = (try JSONValue.parse(text), try JSONValue.parse("[0, \(text) ]"))
            guard let double = Double(text) else {
                #expect(text == "[1]")
                continue
            }
            #expect(value == .double(double), "\(text)")
            #expect(list == .array([.integer(0), .double(double)]), "\(text)")
        }
    }

    @Test func `counts levels exactly`() throws {
        for inner in ["", "0", "\"s\""] {
            let nested = { (levels: Int) in
                String(repeating: "[", count: levels) + inner
                    + String(repeating: "]", count: levels)
            }
            #expect(try JSONValue.parse(nested(32)).elements != nil)
            #expect(throws: JSONError.tooDeep) { try JSONValue.parse(nested(33)) }
        }
    }

    @Test func `refuses a bomb of brackets`() {
        let bomb = String(repeating: "[", count: 1_000_000)
        #expect(throws: JSONError.self) { try JSONValue.parse(bomb) }
        #expect(throws: JSONError.tooDeep) {
            try JSONValue.parse(bomb + String(repeating: "]", count: 1_000_000))
        }
    }

    @Test func `writes what it reads`() throws {
        var json = RandomJSON(random: .printingSeed("values written and read"))
        for _ in 0..<1000 {
            let value = try JSONValue.parse(json.value(depth: 4))
            var buffer = ByteBuffer()
            buffer.append(json: value)
            #expect(try JSONValue.parse(buffer.span) == value)
        }
    }
}

struct JSONSyntaxTests {
    @Test(arguments: [
        ("{\"a\":1}", nil), (" [1, 2.5e-3, \"x\\u0041\", null, true, {}] ", nil), ("", 0),
        ("  ", 2), ("{\"a\":1,}", 7), ("{\"a\" 1}", 5), ("[1 2]", 3), ("[1,]", 3), ("{a:1}", 1),
        ("nul", 3), ("nulx", 3), ("01", 1), ("1.", 2), ("1.x", 2), ("-", 1), ("1e", 2),
        ("\"abc", 4), ("\"a\u{1}\"", 2), ("\"\\x\"", 1), ("\"\\ud800\"", 1), ("\"\\udc00\"", 1),
        ("\"\\ud83d\\ude00\"", nil), ("{} x", 3), ("[}", 1), ("{]", 1), ("{\"a\":1", 6),
        ("\"\\", 1), ("\"\\u00", 1), ("hello", 0), ("]", 0), ("{\"a\"", 4), ("<html>", 0),
    ])
    func `finds where a text stops being JSON`(text: String, offset: Int?) {
        let buffer = ByteBuffer(text)
        #expect(JSONSyntax.fault(in: buffer.span)?.offset == offset)
    }

    @Test func `agrees with the parser on random damage`() {
        var json = RandomJSON(random: .printingSeed("syntax against parser"))
        for _ in 0..<3000 {
            var bytes = Array(json.value(depth: 4).utf8)
            let place = Int.random(in: 0..<bytes.count, using: &json.random)
            bytes[place] = UInt8.random(in: 0x20...0x7E, using: &json.random)
            var buffer = ByteBuffer(capacity: bytes.count)
            buffer.append(contentsOf: bytes)
            let span = buffer.span
            let error = failure { () throws(JSONError) in try JSONValue.parse(span) }
            switch error {
            case nil, .numberOutOfRange: #expect(JSONSyntax.fault(in: span)?.offset == nil)
            case .invalid, .trailingContent:
                let offset = JSONSyntax.fault(in: span)?.offset
                #expect(offset != nil, "\(buffer.text)")
                #expect((0...bytes.count).contains(offset ?? -1))
            default: continue
            }
        }
    }

    @Test func `finds the first byte that is not UTF-8`() {
        let texts: [([UInt8], Int?)] = [
            (Array("aé😀".utf8), nil), ([0x61, 0xFF], 1), ([0xC3, 0xA9, 0xED, 0xA0, 0x80], 2),
            ([], nil),
        ]
        for (bytes, offset) in texts {
            bytes.withUnsafeBytes { #expect(JSONSyntax.utf8ErrorOffset(in: $0) == offset) }
        }
    }
}

struct JSONScanTests {
    @Test(arguments: [
        ("{\"a\":\"}\"} x", 9), ("[1,[2]],3", 7), ("\"a\\\"b\",1", 6), ("12.5,", 4), ("true]", 4),
        ("{\"a\":1", nil), ("\"abc", nil), ("\"abc\\", nil), ("\"abc\\\"", nil), ("", nil),
        (",", nil), ("]", nil), (" 1", nil), ("\"12345678901234567890\\\\\"", 24),
    ])
    func `finds the end of the first value`(text: String, length: Int?) {
        let buffer = ByteBuffer(text)
        #expect(JSONScan.valueLength(buffer.span) == length)
    }

    @Test func `minds escapes and strings at every place of a block of 64 bytes`() {
        let values = [
            #"{"a\\":"}]\"{","b":["\\\"",{}]}"#, #"["\\\\","]",[[]],"\\\\\"]"]"#,
            #"[{"k":"[\\"},"{"]"#,
        ]
        for value in values {
            for padding in 0..<140 {
                for filler in [" ", "\"" + String(repeating: "\\", count: padding) + "x\","] {
                    let spaces = String(repeating: " ", count: padding)
                    let isString = filler != " "
                    if isString, padding % 2 == 1 { continue }
                    let text = "[" + spaces + (isString ? filler : "") + value + "]"
                    let buffer = ByteBuffer(text + "]}\"")
                    #expect(JSONScan.valueLength(buffer.span) == text.utf8.count)
                    for cut in [1, text.utf8.count / 2, text.utf8.count - 1] {
                        let part = UnsafeRawBufferPointer(rebasing: buffer.span[..<cut])
                        #expect(JSONScan.valueLength(part) == nil)
                    }
                }
            }
        }
    }

    @Test func `finds the end of random values before anything`() {
        var json = RandomJSON(random: .printingSeed("value lengths"))
        for _ in 0..<3000 {
            let value = json.value(depth: 4)
            let buffer = ByteBuffer(value + ",\"{[" + json.string())
            #expect(JSONScan.valueLength(buffer.span) == value.utf8.count)
        }
    }
}
