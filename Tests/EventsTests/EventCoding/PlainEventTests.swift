import EventCoding
import Journal
import Primitives
import TestSupport
import Testing

struct PlainEventTests {
    @Test func `takes every attribute`() throws {
        let decoded = try decode(
            #"{"id":"e1","type":"order.paid","source":"/shop","subject":"c7","#
                + #""time":"2015-05-17T10:05:03.25Z","data":{"total": 12.50}}"#)
        #expect(decoded.codes.isEmpty)
        #expect(
            decoded.events == [
                Event(
                    id: "e1", time: 1_431_857_103_250, type: "order.paid", source: "/shop",
                    subject: "c7", data: #"{"total": 12.50}"#)
            ])
    }

    @Test func `fills in source, time and a generated id`() throws {
        let event = try decode(#"{"type":"t"}"#).events.first
        #expect(event == Event(time: testNow, type: "t", source: "/anonymous"))
    }

    @Test(arguments: [
        (#"{"type":"signup","plan":"pro"}"#, #"{"plan":"pro"}"#),
        (
            #"{"a": [1, 2] ,"type":"t","b":"\u0041\"","c":{}}"#,
            #"{"a":[1, 2],"b":"\u0041\"","c":{}}"#
        ),
        (#"{"type":"t","plan":null}"#, #"{"plan":null}"#),
        (#"{"type":"t","specversion":"2.0"}"#, #"{"specversion":"2.0"}"#),
        (#"{"type":"t","specversion":1.0}"#, #"{"specversion":1.0}"#),
        (#"{"type":"t","data_base64":"!"}"#, #"{"data_base64":"!"}"#),
    ])
    func `makes the other members the data when there is none`(text: String, data: String) throws {
        let event = try decode(text).events.first
        #expect(event?.data == data)
        #expect(event?.extensions == nil)
    }

    @Test func `keeps other members beside data as extensions`() throws {
        let text = #"{"type":"t","region":"eu","data":1,"n":-5,"b":true,"none":null,"No":null}"#
        let event = try decode(text).events.first
        #expect(event?.data == "1")
        #expect(event?.extensions == #"{"region":"eu","n":-5,"b":true}"#)
    }

    @Test(arguments: [
        #""userId":5"#, #""nested":{"k":[1]}"#, #""list":[]"#, #""ratio":1.5"#, #""n":5.0"#,
        #""n":2147483648"#, #""a_b":1"#, "\"\":1", #""s":"\n""#, #""s":"a\ud83d""#,
        #""\ud83d":1"#,
    ])
    func `refuses members beside data that no CloudEvent may have`(member: String) throws {
        for text in [
            #"{"type":"t","data":{"a":1},\#(member)}"#, #"{"type":"t",\#(member),"data":null}"#,
        ] {
            #expect(try decode(text).codes == ["invalid_extension"], "\(text)")
        }
        // Without data they are data.
        #expect(try decode(#"{"type":"t",\#(member)}"#).events.count == 1)
    }

    /// What JavaScript's `slice` leaves of an emoji, and what is kept of it.
    @Test(arguments: [
        (#"{"v":"\ud83d"}"#, #"{"v":"\ufffd"}"#),
        (#"{"v":"\uDE00 \ud83d\ude00"}"#, #"{"v":"\ufffd \ud83d\ude00"}"#),
        (#"["\ud83d\ud83d\ude00"]"#, #"["\ufffd\ud83d\ude00"]"#),
        (
            #"{"\ud83d":{"a\udc00":["\ud83d\u0041"]}}"#,
            "{\"\u{FFFD}\":{\"a\u{FFFD}\":[\"\\ufffd\\u0041\"]}}"
        ),
        (#""\\ud83d""#, #""\\ud83d""#), (#""\\\ud83d""#, #""\\\ufffd""#),
        (#""\ud83d\\ude00""#, #""\ufffd\\ude00""#),
    ])
    func `takes a lone surrogate in data as a replacement character`(
        data: String, kept: String
    ) throws {
        let text = #"{"type":"cut","data":\#(data)}"#
        #expect(try decode(text).events.first?.data == kept)
        let array = try decode(#"[{"type":"ok1"},\#(text),{"type":"ok2"}]"#)
        #expect(array.codes.isEmpty && array.events.map(\.data) == [nil, kept, nil])
        let lines = try decode("{\"type\":\"ok1\"}\n\(text)\n{\"type\":\"ok2\"}", as: .ndjson)
        #expect(lines.codes.isEmpty && lines.events.map(\.data) == [nil, kept, nil])
        #expect(throws: Never.self) { try JSONValue.parse(kept) }
    }

    @Test func `takes lone surrogates in the flat form, also in names`() throws {
        let event = try decode(#"{"type":"t","\ud83d":"\udfff","id":"1"}"#).events.first
        #expect(event?.data == "{\"\u{FFFD}\":\"\\ufffd\"}")
        #expect(event?.id == "1")
    }

    @Test func `takes many lone surrogates in time that grows with the text`() throws {
        let members = (0..<8000).map { "\"k\($0)\":\"\\ud800\"" }.joined(separator: ",")
        let start = MonotonicTime.now()
        #expect(try decode("{\"type\":\"t\",\(members)}").events.count == 1)
        #expect(MonotonicTime.now().since(start) < .seconds(2) * slowness)
    }

    @Test(arguments: [
        "null", "false", "-0.0", "\"a\\u0041\"", "[ 1 , 2 ]", "{ \"k\" : 1.0 }", "1E5",
        "[123456789012345678901, -9223372036854775809]",
    ])
    func `keeps data exactly as it was sent`(data: String) throws {
        #expect(try decode("{\"data\": \(data) ,\"type\":\"t\"}").events.first?.data == data)
    }

    @Test func `drops the version of a CloudEvent sent as plain JSON`() throws {
        let event = try decode(#"{"specversion":"1.0","type":"t","data":1}"#).events.first
        #expect(event?.extensions == nil)
    }

    @Test func `takes null as not being there`() throws {
        let text = #"{"type":"t","id":null,"source":null,"subject":null,"time":null}"#
        #expect(
            try decode(text).events == [Event(time: testNow, type: "t", source: "/anonymous")])
    }

    @Test func `resolves escapes in attributes and their names`() throws {
        let event = try decode(#"{"typ\u0065":"a\u00e9\/\ud83d\ude00","id":"\"\\"}"#).events.first
        #expect(event?.type == "aé/😀")
        #expect(event?.id == #""\"#)
    }

    /// The text of a rejected event and its code.
    private static let bad: [(String, String)] = [
        (#"{}"#, "missing_type"), (#"{"data":1}"#, "missing_type"),
        (#"{"type":null}"#, "missing_type"),
        (#"{"type":""}"#, "invalid_type"), (#"{"type":1}"#, "invalid_type"),
        (#"{"type":["t"]}"#, "invalid_type"), (#"{"type":"a\u0000b"}"#, "invalid_type"),
        (#"{"type":"a\nb"}"#, "invalid_type"), ("{\"type\":\"a\u{7F}\"}", "invalid_type"),
        ("{\"type\":\"a\u{85}\"}", "invalid_type"), (#"{"type":"12345678\u0001"}"#, "invalid_type"),
        (#"{"type":"t","id":""}"#, "invalid_id"), (#"{"type":"t","id":7}"#, "invalid_id"),
        (#"{"type":"t","id":"\u001f"}"#, "invalid_id"),
        (#"{"type":"t","source":""}"#, "invalid_source"),
        (#"{"type":"t","source":{}}"#, "invalid_source"),
        (#"{"type":"t","subject":false}"#, "invalid_subject"),
        (#"{"type":"t","subject":"\t"}"#, "invalid_subject"),
        (#"{"type":"t","subject":""}"#, "invalid_subject"),
        (#"{"type":"\ud83d"}"#, "invalid_type"), (#"{"type":"t","id":"a\udc00"}"#, "invalid_id"),
        (#"{"type":"t","source":"\ud83d\ud83d"}"#, "invalid_source"),
        (#"{"type":"t","subject":"\ud83d","data":"\ud83d"}"#, "invalid_subject"),
        (#"{"type":"t","time":"\ud83d"}"#, "invalid_time"),
        (#"{"type":"t","time":1700000000}"#, "invalid_time"),
        (#"{"type":"t","time":"yesterday"}"#, "invalid_time"),
        (#"{"type":"t","time":""}"#, "invalid_time"),
        (#"{"type":"t","time":"2015-02-29T00:00:00Z"}"#, "invalid_time"),
        (#"{"type":"t","data":1,"specversion":"0.3"}"#, "unsupported_specversion"),
        (#"{"type":"t","specversion":1.0,"data":1}"#, "unsupported_specversion"),
        (#"{"type":"t","data":1,"data_base64":"AA=="}"#, "invalid_data"),
        (#"{"type":"t","data":1,"datacontenttype":5}"#, "invalid_attribute"),
        (#"{"type":"t","data":1,"dataschema":{}}"#, "invalid_attribute"),
        (#"{"type":"t","type":"t"}"#, "duplicate_key"),
        (#"{"type":"t","a":1,"\u0061":2}"#, "duplicate_key"),
        (#"{"type":"t","n":1e400}"#, "number_out_of_range"),
        (#"{"type":"t","data":[123456789012345678901,1e400]}"#, "number_out_of_range"),
        ("7", "not_an_object"), ("\"type\"", "not_an_object"), ("null", "not_an_object"),
    ]

    @Test(arguments: bad) func `refuses an event with its code`(text: String, code: String) throws {
        let alone = try decode(" \(text)\n")
        #expect(alone.error == nil)
        #expect(alone.events.isEmpty)
        #expect(alone.refusals == [Refusal(index: 0, code: code, raw: text)])
        let lines = try decode("{\"type\":\"a\"}\n\(text)\r\n{\"type\":\"b\"}", as: .ndjson)
        #expect(lines.events.map(\.type) == ["a", "b"])
        #expect(lines.refusals == [Refusal(index: 1, code: code, raw: text)])
        let array = try decode("[{\"type\":\"a\"}, \(text) ,{\"type\":\"b\"}]")
        #expect(array.events.map(\.type) == ["a", "b"])
        #expect(array.refusals == [Refusal(index: 1, code: code, raw: text)])
    }

    @Test(arguments: [
        ("type", 255, "invalid_type"), ("id", 255, "invalid_id"),
        ("source", 1024, "invalid_source"),
        ("subject", 1024, "invalid_subject"),
    ])
    func `holds attributes to their length`(name: String, limit: Int, code: String) throws {
        let event = { (length: Int) in
            let others = name == "type" ? "" : ",\"type\":\"t\""
            return "{\"\(name)\":\"" + String(repeating: "x", count: length) + "\"\(others)}"
        }
        #expect(try decode(event(limit)).events.count == 1)
        #expect(try decode(event(limit + 1)).codes == [code])
    }

    @Test func `counts the event itself as the first of 32 levels`() throws {
        let nested = { (levels: Int) in
            "{\"type\":\"t\",\"data\":" + String(repeating: "[", count: levels - 1)
                + String(repeating: "]", count: levels - 1) + "}"
        }
        #expect(try decode(nested(32)).events.count == 1)
        #expect(try decode(nested(33)).codes == ["too_deep"])
        #expect(try decode(nested(50_000)).codes == ["too_deep"])
        #expect(try decode("[" + nested(50_000) + "]").codes == ["too_deep"])
    }

    @Test func `holds an event to 256 KiB`() throws {
        let event = { (bytes: Int) in
            "{\"type\":\"t\",\"d\":\"" + String(repeating: "x", count: bytes - 19) + "\"}"
        }
        #expect(event(100).utf8.count == 100)
        #expect(try decode(event(256 << 10)).events.count == 1)
        #expect(try decode(event((256 << 10) + 1)).codes == ["event_too_large"])
        let lines = try decode(event((256 << 10) + 1) + "\n{\"type\":\"t\"}", as: .ndjson)
        #expect(lines.codes == ["event_too_large"])
        #expect(lines.events.count == 1)
    }

    @Test func `gives ids that rise and differ`() throws {
        let decoder = EventDecoder()
        let batch = JournalBatch()
        let body = padded(String(repeating: "{\"type\":\"t\"}\n", count: 5000))
        let source = Bytes("/s")
        let count = try decoder.decode(
            body.span, as: .ndjson, defaults: EventDefaults(source: source.span, now: 1000),
            into: batch, onRejected: { _ in Issue.record("refused") })
        #expect(count == 5000)
        var payload = EventPayload(
            UnsafeRawBufferPointer(rebasing: batch.bytes.span[JournalRecord.headerBytes...]))
        var last: UInt64 = 0
        for _ in 0..<5000 {
            guard case .generated(let id) = try payload.next()?.identity else {
                Issue.record("no generated id")
                return
            }
            #expect(id.high > last)
            last = id.high
        }
        withExtendedLifetime(source) {}
    }

    @Test func `has a code and a sentence for every fault`() {
        #expect(Set(EventFault.allCases.map(\.code)).count == EventFault.allCases.count)
        for fault in EventFault.allCases {
            #expect(fault.code.allSatisfy { $0.isLowercase || $0 == "_" || $0.isNumber })
            #expect(fault.detail.hasSuffix("."))
        }
    }
}

/// A padded text that lives as long as its variable.
func padded(_ text: String) -> ByteBuffer {
    var buffer = ByteBuffer(capacity: text.utf8.count)
    buffer.append(text)
    return buffer
}
