import EventCoding
import Journal
import Primitives
import TestSupport
import Testing

struct BodyTests {
    @Test(arguments: ["", " ", "\r\n\n", "\u{FEFF}", "\u{FEFF} "])
    func `refuses a body without anything`(text: String) throws {
        for format in [EventFormat.json, .ndjson, .cloudEvent, .cloudEventBatch] {
            #expect(try decode(text, as: format).error == BodyError(.emptyBody, of: .event))
        }
    }

    /// A body that is not JSON, its code, and where the fault is.
    @Test(arguments: [
        ("hello", "invalid_json", 0), (" {\"type\":\"t\"", "invalid_json", 12),
        ("{\"type\":\"t\",}", "invalid_json", 12), ("{\"type\":\"t\"} {}", "trailing_content", 13),
        ("{\"type\":\"t\"}]", "trailing_content", 12), ("{\"n\":01}", "invalid_json", 6),
        ("[", "invalid_json", 1), ("[{\"type\":\"t\"}", "invalid_json", 13),
        ("[{\"type\":\"t\"},]", "invalid_json", 14), ("[,]", "invalid_json", 1),
        ("[{\"type\":\"t\"} {}]", "invalid_json", 14), ("[{\"type\":\"t\"}}", "invalid_json", 13),
        ("[{\"type\":\"t\"}] x", "trailing_content", 15), ("[]]", "trailing_content", 2),
        ("[{\"type\":\"t\"},{\"type\":}]", "invalid_json", 22), ("[{\"a\":[1}]", "invalid_json", 8),
        ("[{\"a\":\"\\ud800\",}]", "invalid_json", 15), ("[tru]", "invalid_json", 4),
        ("[{\"type\":\"t", "invalid_json", 11), ("<html>", "invalid_json", 0),
        ("[[1,[2]", "invalid_json", 7), ("{'type':'t'}", "invalid_json", 1),
    ])
    func `refuses a body that is no JSON and says where`(
        text: String, code: String, offset: Int
    ) throws {
        let decoded = try decode(text)
        #expect(decoded.error?.code == code)
        #expect(decoded.error?.offset == offset)
        #expect(decoded.events.isEmpty)
    }

    @Test func `says where a body stops being UTF-8`() throws {
        for (start, end) in [
            ("[{\"x\":1,\"type\":\"", "\"}]"), ("[{\"type\":\"t\"},{\"a\":\"", "\"]"),
        ] {
            let decoded = try decode(Array(start.utf8) + [0xFF] + Array(end.utf8))
            #expect(decoded.error?.code == "invalid_utf8")
            #expect(decoded.error?.offset == start.utf8.count)
        }
    }

    @Test func `refuses single events that are no UTF-8, in an array as in lines`() throws {
        let bytes = Array("[{\"type\":\"a\"},{\"type\":\"".utf8) + [0xFF] + Array("\"}]".utf8)
        let array = try decode(bytes)
        #expect(array.events.map(\.type) == ["a"])
        #expect(array.codes == ["invalid_utf8"])
        let line = try decode([0xC3, 0x28, 0x0A] + Array("{\"type\":\"t\"}".utf8), as: .ndjson)
        #expect(line.codes == ["invalid_utf8"])
        #expect(line.events.count == 1)
    }

    @Test func `steps over a byte order mark before a body and before each line`() throws {
        let mark = "\u{FEFF}"
        let event = #"{"type":"a"}"#
        #expect(try decode(mark + " " + event).events.count == 1)
        let lines = "\(mark)\(event)\r\n\(mark)\n\(mark) \(event)\n\n\(mark)\(event)"
        let decoded = try decode(lines, as: .ndjson)
        #expect(decoded.codes.isEmpty && decoded.events.count == 3)
        #expect(try decode("\(mark)\n\(mark)\n", as: .ndjson).codes == ["empty_body"])
        #expect(try decode("[\(mark)\(event)]").codes == ["invalid_json"])
    }

    @Test func `tells what mostly lies behind a body that is not what its type says`() throws {
        let two = #"{"type":"a"}{"type":"b"}"#
        let line = try decode("\(two)\n{\"type\":\"c\"}", as: .ndjson)
        #expect(line.codes == ["trailing_content"])
        let fault = try #require(EventFault(rawValue: "trailing_content"))
        let body = try #require(try decode(two, as: .ndjson).error)
        for detail in [fault.detail, body.detail] {
            #expect(detail.contains("newline") && detail.contains("--data-binary"))
        }
        #expect(try decode(two).error?.detail.contains("application/x-ndjson") == true)
        let array = try #require(try decode("[{}]", as: .cloudEvent).error)
        #expect(array.code == "not_an_object")
        #expect(array.detail.contains("application/cloudevents-batch+json"))
        let single = try #require(try decode("{}", as: .cloudEventBatch).error)
        #expect(single.detail.contains("application/cloudevents+json"))
        #expect(try decode("[{]", as: .cloudEvent).codes == ["invalid_json"])
    }

    @Test(arguments: ["[]", " [ \n] ", "\u{FEFF}[]"])
    func `takes an empty array as no events`(text: String) throws {
        let decoded = try decode(text)
        #expect(decoded.codes.isEmpty && decoded.events.isEmpty)
    }

    @Test func `takes arrays with any white space and any strings`() throws {
        let text =
            "\u{FEFF} [\n {\"type\":\"a\",\"x\":\"],[{\\\"\"}\t,{\"type\":\"b\\\\\"} ,\r\n{\"type\":\"c\"}] "
        #expect(try decode(text).events.map(\.type) == ["a", "b\\", "c"])
    }

    @Test func `skips blank lines and takes any line ending`() throws {
        let text = "\n{\"type\":\"a\"}\r\n\r\n \t\n{\"type\":\"b\"}\n{\"id\":1}\n\n{\"type\":\"c\"}"
        let decoded = try decode(text, as: .ndjson)
        #expect(decoded.events.map(\.type) == ["a", "b", "c"])
        #expect(decoded.refusals == [Refusal(index: 2, code: "invalid_id", raw: "{\"id\":1}")])
    }

    @Test func `refuses single lines that are no JSON`() throws {
        let text = "hello\n{\"type\":\"a\"}\n{\"type\":\"b\"\n{\"type\":\"c\"} {}\n"
        let decoded = try decode(text, as: .ndjson)
        #expect(decoded.events.map(\.type) == ["a"])
        #expect(
            decoded.refusals == [
                Refusal(index: 0, code: "invalid_json", raw: "hello"),
                Refusal(index: 2, code: "invalid_json", raw: "{\"type\":\"b\""),
                Refusal(index: 3, code: "trailing_content", raw: "{\"type\":\"c\"} {}"),
            ])
    }

    @Test func `refuses lines of which none is JSON as a body`() throws {
        #expect(
            try decode("\n time,ip\n1,2 x\n", as: .ndjson).error
                == BodyError(.invalidJSON, of: .event, offset: 2 + 1, isLines: true))
        #expect(try decode("1\nx\n", as: .ndjson).codes == ["not_an_object", "invalid_json"])
    }

    @Test func `refuses more events than the limit, bad ones counted`() throws {
        var limits = EventLimits()
        limits.eventsPerBatch = 3
        let decoder = EventDecoder(limits: limits)
        let three = ["{\"type\":\"t\"}", "{}", "{\"type\":\"t\"}"]
        let four = three + ["{\"type\":\"t\"}"]
        let error = BodyError(.tooManyItems, of: .event, limit: 3)
        let asArray = { (events: [String]) in "[" + events.joined(separator: ",") + "]" }
        #expect(try decode(asArray(three), by: decoder).events.count == 2)
        #expect(try decode(asArray(four), by: decoder).error == error)
        let asLines = { (events: [String]) in events.joined(separator: "\n\n") }
        #expect(try decode(asLines(three), as: .ndjson, by: decoder).events.count == 2)
        #expect(try decode(asLines(four), as: .ndjson, by: decoder).error == error)
    }

    @Test func `leaves the batch as it was after an error`() throws {
        let decoder = EventDecoder()
        let batch = JournalBatch()
        let source = Bytes("/s")
        let defaults = EventDefaults(source: source.span, now: 0)
        let good = padded("{\"type\":\"kept\"}")
        let bad = padded("[{\"type\":\"a\"},{\"type\":\"b\"},")
        for _ in 0..<2 {
            #expect(
                try decoder.decode(
                    good.span, as: .json, defaults: defaults, into: batch, onRejected: { _ in })
                    == 1)
            #expect(throws: BodyError.self) {
                try decoder.decode(
                    bad.span, as: .json, defaults: defaults, into: batch, onRejected: { _ in })
            }
        }
        #expect(batch.recordCount == 2)
        #expect(try events(in: batch).map(\.type) == ["kept", "kept"])
        withExtendedLifetime(source) {}
    }

    @Test func `splits a large body into records`() throws {
        let line = "{\"type\":\"t\",\"d\":\"" + String(repeating: "x", count: 5000) + "\"}\n"
        let decoded = try decode(String(repeating: line, count: 1000), as: .ndjson)
        #expect(decoded.events.count == 1000)
    }

    @Test func `takes a body that was cut anywhere without harm`() throws {
        let event =
            #"{"id":"e\u0031","type":"a","time":"2015-05-17T10:05:03Z","data":[1,{"k":"é"}]}"#
        let decoder = EventDecoder()
        let lines = Array("\(event)\r\n{\"type\":\"b\",\"x\":-1.5e3}\n\(event)\n".utf8)
        let array = Array("[\(event) , {\"type\":\"b\",\"x\":-1.5e3},\(event)]".utf8)
        for count in 0..<lines.count {
            _ = try decode(Array(lines[..<count]), as: .ndjson, by: decoder)
            _ = try decode(Array(lines[count...]), as: .ndjson, by: decoder)
        }
        for count in 0..<array.count {
            let decoded = try decode(Array(array[..<count]), by: decoder)
            #expect(decoded.error != nil)
            // An empty body has no place for a fault; an escape is one from its backslash.
            let offset = decoded.error?.offset ?? count
            #expect((count - 12...count).contains(offset))
            _ = try decode(Array(array[count...]), by: decoder)
        }
        #expect(try decode(array, by: decoder).events.count == 3)
    }

    @Test func `takes random damage without harm`() throws {
        var random = SeededGenerator.printingSeed("damaged bodies")
        let decoder = EventDecoder()
        let good =
            #"[{"id":"1","type":"a","source":"/s","data":{"k":["v",1.5,null]}},{"type":"b","x":"\u00e9"}]"#
        let alphabet = Array("{}[]\",:\\u0eE-. \n\rtn".utf8) + [0x00, 0x80, 0xC3, 0xFF]
        for round in 0..<4000 {
            var bytes = Array(good.utf8)
            for _ in 0...(round % 4) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                let byte = alphabet.randomElement(using: &random) ?? 0
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = byte
                case 1: bytes.insert(byte, at: place)
                default: bytes.remove(at: place)
                }
            }
            let formats: [EventFormat] = [
                .json, .ndjson, .cloudEvent, .cloudEventBatch,
                .binary([("type", "t")], contentType: "text/plain"),
            ]
            for format in formats { _ = try decode(bytes, as: format, by: decoder) }
        }
    }

    @Test func `is not slowed by unfinished brackets and quotes`() throws {
        for text in ["[", "{\"a\":", "[\"", "\"\\", "[{", "[[],"] {
            let bomb = String(repeating: text, count: 200_000)
            #expect(try decode(bomb).codes.isEmpty == false)
            #expect(try decode("[" + bomb).error != nil)
            #expect(try decode(bomb, as: .ndjson).codes.isEmpty == false)
        }
    }
}
