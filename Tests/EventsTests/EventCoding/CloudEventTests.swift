import EventCoding
import Primitives
import Testing

struct CloudEventTests {
    private static let good = #"{"specversion":"1.0","id":"1","source":"/s","type":"t""#

    @Test func `takes a structured event with extensions`() throws {
        let text =
            CloudEventTests.good
            + #","subject":"x","time":"2015-05-17T10:05:03Z","datacontenttype":"application/json","#
            + #""dataschema":"https://e.example/s","data":{"a":1},"comexample":"v","n":5,"b":true}"#
        #expect(
            try decode(text, as: .cloudEvent).events == [
                Event(
                    id: "1", time: 1_431_857_103_000, type: "t", source: "/s", subject: "x",
                    data: #"{"a":1}"#,
                    extensions: #"{"datacontenttype":"application/json","#
                        + #""dataschema":"https://e.example/s","comexample":"v","n":5,"b":true}"#)
            ])
    }

    @Test func `has no flat form`() throws {
        let event = try decode(CloudEventTests.good + #","plan":"pro"}"#, as: .cloudEvent).events
            .first
        #expect(event?.data == nil)
        #expect(event?.extensions == #"{"plan":"pro"}"#)
    }

    @Test func `takes null as not being there`() throws {
        let text = CloudEventTests.good + #","subject":null,"ext":null,"time":null}"#
        let event = try decode(text, as: .cloudEvent).events.first
        #expect(event == Event(id: "1", time: testNow, type: "t", source: "/s"))
    }

    @Test func `keeps binary data with the extensions`() throws {
        let text = CloudEventTests.good + #","data_base64":"Zm9vYg=="}"#
        let event = try decode(text, as: .cloudEvent).events.first
        #expect(event?.data == nil)
        #expect(event?.extensions == #"{"data_base64":"Zm9vYg=="}"#)
    }

    private static let bad: [(String, String)] = [
        (#"{"id":"1","source":"/s","type":"t"}"#, "unsupported_specversion"),
        (#"{"specversion":"0.3","id":"1","source":"/s","type":"t"}"#, "unsupported_specversion"),
        (#"{"specversion":1.0,"id":"1","source":"/s","type":"t"}"#, "unsupported_specversion"),
        (#"{"specversion":"1.0","source":"/s","type":"t"}"#, "missing_id"),
        (#"{"specversion":"1.0","id":"1","type":"t"}"#, "missing_source"),
        (#"{"specversion":"1.0","id":"1","source":"/s"}"#, "missing_type"),
        (#"{"specversion":"1.0","id":"1","source":"","type":"t"}"#, "invalid_source"),
        (good + #","Ext":"v"}"#, "invalid_extension"),
        (good + #","my_ext":1}"#, "invalid_extension"),
        (good + #","":1}"#, "invalid_extension"), (good + #","ext":{}}"#, "invalid_extension"),
        (good + #","ext":[1]}"#, "invalid_extension"),
        (good + #","ext":1.5}"#, "invalid_extension"),
        (good + #","ext":1.0}"#, "invalid_extension"),
        (good + #","ext":2147483648}"#, "invalid_extension"),
        (good + #","ext":-2147483649}"#, "invalid_extension"),
        (good + #","ext":18446744073709551616}"#, "invalid_extension"),
        (good + #","ext":"\u0007"}"#, "invalid_extension"),
        (good + #","ext":"\ud83d"}"#, "invalid_extension"),
        (good + #","\ud83d":"v"}"#, "invalid_extension"),
        (good + #","subject":""}"#, "invalid_subject"),
        (good + #","datacontenttype":7}"#, "invalid_attribute"),
        (good + #","dataschema":""}"#, "invalid_attribute"),
        (good + #","data_base64":"Zm9"}"#, "invalid_data"),
        (good + #","data_base64":5}"#, "invalid_data"),
        (good + #","data":1,"data_base64":"Zg=="}"#, "invalid_data"),
        (good + #","id":"2"}"#, "duplicate_key"), (good + #","time":"x"}"#, "invalid_time"),
        ("7", "not_an_object"),
    ]

    @Test func `takes the greatest integers and the longest names of extensions`() throws {
        let name = String(repeating: "n", count: 64)
        let text = CloudEventTests.good + #","a":2147483647,"b":-2147483648,"\#(name)":-0}"#
        #expect(try decode(text, as: .cloudEvent).events.count == 1)
    }

    @Test(arguments: bad) func `refuses an event with its code`(text: String, code: String) throws {
        #expect(
            try decode(text, as: .cloudEvent).refusals == [Refusal(index: 0, code: code, raw: text)]
        )
        let batch = try decode("[\(CloudEventTests.good)},\(text)]", as: .cloudEventBatch)
        #expect(batch.events.count == 1)
        #expect(batch.refusals == [Refusal(index: 1, code: code, raw: text)])
    }

    @Test func `wants an array for a batch`() throws {
        let error = try decode(CloudEventTests.good + "}", as: .cloudEventBatch).error
        #expect(error == BodyError(.notAnArray, of: .event, offset: 0))
        #expect(
            try decode("{", as: .cloudEventBatch).error
                == BodyError(.invalidJSON, of: .event, offset: 1))
        #expect(try decode("[]", as: .cloudEventBatch).codes.isEmpty)
    }
}

struct BinaryModeTests {
    private static let attributes = [
        (name: "specversion", value: "1.0"), (name: "ID", value: "1"),
        (name: "Source", value: "/s"), (name: "type", value: "t"),
    ]

    private func event(
        _ body: String, contentType: String?, _ more: [(name: String, value: String)] = []
    ) throws -> Event? {
        let decoded = try decode(
            body,
            as: .binary(BinaryModeTests.attributes + more, contentType: contentType))
        #expect(decoded.codes.isEmpty)
        return decoded.events.first
    }

    @Test func `takes JSON data as it is`() throws {
        let event = try event(
            "{\"a\": 1}", contentType: "application/json; charset=utf-8",
            [("time", "2015-05-17T10:05:03Z"), ("subject", "x"), ("traceid", "00-1")])
        #expect(
            event
                == Event(
                    id: "1", time: 1_431_857_103_000, type: "t", source: "/s", subject: "x",
                    data: "{\"a\": 1}",
                    extensions: #"{"traceid":"00-1","#
                        + #""datacontenttype":"application/json; charset=utf-8"}"#))
    }

    @Test(arguments: ["application/json", "text/json", "application/vnd.x+json", nil])
    func `reads data of JSON types`(type: String?) throws {
        #expect(try event("[1, 2]", contentType: type)?.data == "[1, 2]")
    }

    @Test(arguments: ["text/plain", "text/csv; charset=utf-8", "application/xml", "image/svg+xml"])
    func `makes text a string`(type: String) throws {
        #expect(try event("a \"b\"\n", contentType: type)?.data == #""a \"b\"\n""#)
    }

    @Test func `makes other bytes base 64`() throws {
        let stream = "application/octet-stream"
        let event = try event("foob", contentType: stream)
        #expect(event?.data == nil)
        #expect(
            event?.extensions == #"{"datacontenttype":"\#(stream)","data_base64":"Zm9vYg=="}"#)
        let decoded = try decode(
            [0xFF], as: .binary(BinaryModeTests.attributes, contentType: "text/plain"))
        #expect(
            decoded.events.first?.extensions
                == #"{"datacontenttype":"text/plain","data_base64":"/w=="}"#)
    }

    @Test func `takes an event without a body`() throws {
        let event = try event("", contentType: nil)
        #expect(event == Event(id: "1", time: testNow, type: "t", source: "/s"))
    }

    @Test(arguments: [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"), ("\"a \\\"b\\\"\"", "a \"b\""),
        ("100%", "100%"), ("%zz", "%zz"), ("\"\\\\\"", "\\"),
    ])
    func `decodes header values`(value: String, subject: String) throws {
        #expect(try event("", contentType: nil, [("subject", value)])?.subject == subject)
    }

    @Test(arguments: [
        ("data", "1", "invalid_attribute"), ("datacontenttype", "x/y", "invalid_attribute"),
        ("data_base64", "Zg==", "invalid_extension"), ("my-ext", "v", "invalid_extension"),
        ("subject", "%ff", "invalid_utf8"), ("subject", "%00", "invalid_subject"),
        ("subject", "%ED%A0%BD", "invalid_utf8"), ("subject", "", "invalid_subject"),
        ("id", "2", "duplicate_header"), ("time", "noon", "invalid_time"),
    ])
    func `refuses bad headers`(name: String, value: String, code: String) throws {
        let attributes = BinaryModeTests.attributes + [(name, value)]
        #expect(
            try decode("", as: .binary(attributes, contentType: nil)).codes == [code])
    }

    /// Latin-1, as some clients write headers: one replacement character would make one event of
    /// three.
    @Test(arguments: [UInt8(0xE8), 0xE9, 0xEA, 0xFF])
    func `refuses headers that are no UTF-8`(byte: UInt8) throws {
        let good = BinaryModeTests.attributes.map { ($0.name, Array($0.value.utf8)) }
        let latin1 = Array("caf".utf8) + [byte]
        for name in ["ID", "Source", "type", "subject", "ext"] {
            let attributes = good.filter { $0.0 != name } + [(name, latin1)]
            let decoded = try decode("", as: .binary(attributes: attributes, contentType: nil))
            #expect(decoded.codes == ["invalid_utf8"])
            let kept = try #require(decoded.refusals.first).raw
            #expect(try decode(kept, as: .cloudEvent).events.isEmpty)
        }
        let format = EventFormat.binary(attributes: good, contentType: latin1)
        #expect(try decode("x", as: format).codes == ["invalid_utf8"])
    }

    @Test func `steps over a byte order mark, but not in bytes that are no text`() throws {
        let body = "\u{FEFF}{\"n\":1}"
        #expect(try event(body, contentType: "application/json")?.data == #"{"n":1}"#)
        #expect(try event(body, contentType: nil)?.data == #"{"n":1}"#)
        #expect(try event("\u{FEFF}a", contentType: "text/plain")?.data == "\"a\"")
        let bytes = try event("\u{FEFF}a", contentType: "application/octet-stream")
        #expect(bytes?.extensions?.contains("77u/YQ==") == true)
    }

    @Test func `takes a lone surrogate in data as a replacement character`() throws {
        let event = try event(#"{"v":"\ud83d"}"#, contentType: "application/json")
        #expect(event?.data == #"{"v":"\ufffd"}"#)
    }

    @Test(arguments: [
        ("{", "invalid_data"), ("1,\"x\":2", "invalid_data"), ("1}", "invalid_data"),
        (" ", "invalid_data"), ("1e999", "number_out_of_range"),
    ])
    func `lets no body out of its member`(body: String, code: String) throws {
        let decoded = try decode(
            body,
            as: .binary(BinaryModeTests.attributes, contentType: "application/json"))
        #expect(decoded.codes == [code])
    }

    @Test func `gives a refused event as one structured text`() throws {
        let decoded = try decode(
            "[1]", as: .binary([("specversion", "1.0"), ("id", "1")], contentType: nil))
        #expect(
            decoded.refusals == [
                Refusal(
                    index: 0, code: "missing_source",
                    raw: #"{"specversion":"1.0","id":"1","data":[1]}"#)
            ])
        let empty = try decode("", as: .binary([], contentType: nil))
        #expect(empty.refusals.map(\.raw) == ["{}"])
    }

    @Test func `keeps all of an event that has no structured form, and never as one`() throws {
        let attributes = [
            ("specversion", "1.0"), ("id", "1"), ("type", "t"), ("source", "/s"),
            ("bad_name", "x"), ("data", "1"), ("traceid", "%ff"),
        ]
        for body in [#"{"type":"inner"}"#, "{"] {
            let decoded = try decode(
                body, as: .binary(attributes, contentType: "application/json"))
            let refused = try #require(decoded.refusals.first)
            #expect(refused.code == "invalid_extension")
            #expect(refused.raw.contains(#""ce-bad_name":"x","ce-data":"1","ce-traceid":"%ff""#))
            #expect(
                refused.raw.contains(
                    body == "{" ? #""ce-data":"ew==""# : #""data":{"type":"inner"}"#))
            #expect(
                try decode(refused.raw, as: .cloudEvent).codes == [
                    body == "{" ? "duplicate_key" : "invalid_extension"
                ])
        }
    }
}
