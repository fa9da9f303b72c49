import OTLPMessages
import Primitives
import Testing

/// Reading what others write.
@Suite struct LogsReadingTests {
    static let attributes =
        #"{"s":"x","t":true,"f":false,"i":-9223372036854775808,"d":1.5,"nan":"NaN","#
        + #""inf":"-Infinity","b":"AAH/","n":null,"a":[1,"two",[3.0]],"m":{"k":{"deep":"é"}}}"#

    @Test func `every field and kind of value of another program is read`() throws {
        let (records, rejected) = try ReadRecord.all(ForeignMessage.request)
        #expect(rejected == 0)
        try #require(records.count == 2)
        expectFull(records[0])
        #expect(records[1].body == #"{"user":{"id":7},"tags":["a"]}"#)
        #expect(records[1].isJSONBody)
        #expect(records[1].traceID == nil && records[1].spanID == nil)
        #expect(records[1].time == 0 && records[1].observed == 0 && records[1].severity == 0)
        #expect(records[1].resource == records[0].resource)
    }

    private func expectFull(_ record: ReadRecord) {
        #expect(record.time == 1_700_000_000_123_456_789)
        #expect(record.observed == 1_700_000_001_000_000_000)
        #expect(record.severity == 13 && record.severityText == "WARN")
        #expect(record.body == "ü \"quoted\"\n" && !record.isJSONBody)
        #expect(record.attributes == LogsReadingTests.attributes)
        #expect(record.flags == 1)
        #expect(
            record.traceID == Key128(high: 0x0AF7_6519_16CD_43DD, low: 0x8448_EB21_1C80_319C))
        #expect(record.spanID == 0xB7AD_6B71_6920_3331)
        #expect(record.eventName == "cart.added")
        #expect(record.resource == #"{"service.name":"shop","host.cpus":4}"#)
        #expect(record.service == "shop")
        #expect(record.scopeName == "cart" && record.scopeVersion == "1.2")
    }

    @Test func `the same in JSON is the same`() throws {
        let json = #"""
            {"resourceLogs":[{"resource":{"attributes":[
              {"key":"service.name","value":{"stringValue":"shop"}},
              {"key":"host.cpus","value":{"intValue":4}}],"droppedAttributesCount":1},
             "scopeLogs":[{"scope":{"name":"cart","version":"1.2"},"logRecords":[
              {"timeUnixNano":"1700000000123456789","observedTimeUnixNano":1700000001000000000,
               "severityNumber":13,"severityText":"WARN","body":{"stringValue":"ü \"quoted\"\n"},
               "attributes":[
                {"key":"s","value":{"stringValue":"x"}},{"key":"t","value":{"boolValue":true}},
                {"key":"f","value":{"boolValue":false}},
                {"key":"i","value":{"intValue":"-9223372036854775808"}},
                {"key":"d","value":{"doubleValue":1.5}},
                {"key":"nan","value":{"doubleValue":"NaN"}},
                {"key":"inf","value":{"doubleValue":"-Infinity"}},
                {"key":"b","value":{"bytesValue":"AAH/"}},{"key":"n","value":{}},
                {"key":"a","value":{"arrayValue":{"values":[{"intValue":"1"},
                  {"stringValue":"two"},{"arrayValue":{"values":[{"doubleValue":3}]}}]}}},
                {"key":"m","value":{"kvlistValue":{"values":[{"key":"k","value":{"kvlistValue":
                  {"values":[{"key":"deep","value":{"stringValue":"é"}}]}}}]}}}],
               "flags":1,"traceId":"0AF7651916CD43DD8448eb211c80319c","spanId":"b7ad6b7169203331",
               "eventName":"cart.added","someNewField":{"a":[1]}}]}],"schemaUrl":"x"}],"more":1}
            """#
        let (records, rejected) = try ReadRecord.all(json: json)
        #expect(rejected == 0)
        try #require(records.count == 1)
        expectFull(records[0])
    }

    @Test(arguments: ["{}", #"{"resourceLogs":[]}"#, #"{"resourceLogs":null}"#])
    func `an empty request holds no records`(json: String) throws {
        #expect(try ReadRecord.all(json: json).records.isEmpty)
        #expect(try ReadRecord.all([]).records.isEmpty)
    }

    @Test(arguments: [
        (#""traceId":"00000000000000000000000000000000""#, "all zeros"),
        (#""traceId":"0af7651916cd43dd8448eb211c8031""#, "too short"),
        (#""traceId":"zaf7651916cd43dd8448eb211c80319c""#, "no digits"),
        (#""traceId":"CvdlGRbNQ92ESOshHIAxnA==""#, "base64"),
    ])
    func `an id that is none leaves the record without a trace`(
        member: String, why: String
    ) throws {
        let records = try ReadRecord.all(json: record(member)).records
        #expect(records.count == 1 && records[0].traceID == nil, "\(why)")
    }

    @Test(arguments: [
        #""timeUnixNano":true"#, #""timeUnixNano":"soon""#, #""severityNumber":"INFO""#,
        #""attributes":{}"#, #""attributes":[{"key":1}]"#, #""body":"text""#,
        #""body":{"boolValue":"yes"}"#, #""body":{"arrayValue":[1]}"#, #""traceId":7"#,
    ])
    func `a member of another type refuses the request`(member: String) throws {
        #expect(throws: OTLPError.wrongType) { try ReadRecord.all(json: record(member)) }
    }

    @Test func `text that is no JSON object says why`() throws {
        #expect(throws: OTLPError.json(.invalid)) { try ReadRecord.all(json: "{,}") }
        #expect(throws: OTLPError.json(.notObject)) { try ReadRecord.all(json: "[]") }
        #expect(throws: OTLPError.json(.empty)) { try ReadRecord.all(json: " ") }
    }

    @Test func `a record nested too deep is left out alone, in both encodings`() throws {
        func nested(_ levels: Int) -> String {
            String(repeating: #"{"arrayValue":{"values":["#, count: levels)
                + #"{"intValue":1}"# + String(repeating: "]}}", count: levels)
        }
        let json =
            #"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":\#(nested(32))},"#
            + #"{"body":\#(nested(33))},{"body":{"stringValue":"last"}}]}]}]}"#
        let (records, rejected) = try ReadRecord.all(json: json)
        #expect(records.count == 2 && rejected == 1)
        #expect(records.last?.body == "last")

        func nested(binary levels: Int) -> Bytes {
            var value = ByteBuffer()
            value.append(field: 3, varint: 1)
            for _ in 0..<levels {
                var outer = ByteBuffer()
                outer.append(field: 5) { $0.append(field: 1, bytes: value.span) }
                value = outer
            }
            return value.freeze()
        }
        var body = ByteBuffer()
        body.append(field: 1) { resource in
            resource.append(field: 2) { scope in
                for levels in [32, 33, 0] {
                    scope.append(field: 2) { message in
                        let value = nested(binary: levels)
                        withExtendedLifetime(value) {
                            message.append(field: 5, bytes: value.span)
                        }
                    }
                }
            }
        }
        let binary = try ReadRecord.all(Array(body.span))
        #expect(binary.records.map(\.body) == [records[0].body, "1"] && binary.rejected == 1)
    }

    @Test func `members may come in any order, written in any way`() throws {
        let json = """
            {"other":{"a":[1]},"resourceLogs":[{"scopeLogs":[{"logRecords":[
              {"body":{"stringValue":"one"}}, {"body":{"stringValue":"two"}}],"scope":{"name":"s"}},
              {"scope":null,"logRecords":[{"body":{"stringValue":"three"}}]},{}, 1],
             "r\\u0065source":{"attributes":[{"key":"service.name","value":{"stringValue":"late"}}]},
             "resource":{"attributes":[]}}, null]}
            """
        let records = try ReadRecord.all(json: json).records
        #expect(records.map(\.body) == ["one", "two", "three"])
        #expect(records.map(\.scopeName) == ["s", "s", ""])
        #expect(records.allSatisfy { $0.service == "late" })
    }

    @Test(arguments: [
        (#"{"resourceLogs":[]} x"#, JSONError.trailingContent),
        (#"{"resourceLogs":[],"x":[1,}"#, .invalid), (#"{"resourceLogs":[],"x":tru}"#, .invalid),
        (#"{"resourceLogs":[],"x":[1}}"#, .invalid), (#"{"resourceLogs":[}}"#, .invalid),
        (#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{]}]}]}]}"#, .invalid),
        (#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}"#, .invalid),
        (#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"x":"\ud800"}]}]}]}"#, .invalid),
        (#"{"resourceLogs":nul}"#, .invalid), ("[", .invalid),
    ])
    func `what is broken anywhere refuses the request`(json: String, error: JSONError) {
        #expect(throws: OTLPError.json(error)) { try ReadRecord.all(json: json) }
    }

    @Test func `a large record, or one of a large resource or scope, is left out`() throws {
        var limits = OTLPLimits()
        limits.recordBytes = 1000
        let long = #"{"key":"k","value":{"stringValue":"\#(String(repeating: "x", count: 1000))"}}"#
        let json = """
            {"resourceLogs":[
             {"scopeLogs":[{"logRecords":[{"body":{"stringValue":"one"}},{"attributes":[\(long)]},
               {"body":{"stringValue":"two"}}]}]},
             {"resource":{"attributes":[\(long)]},"scopeLogs":[{"logRecords":[{}]}]},
             {"scopeLogs":[{"scope":{"attributes":[\(long)]},"logRecords":[{}]},
               {"logRecords":[{"body":{"stringValue":"three"}}]}]}]}
            """
        let text = try ReadRecord.all(json: json, limits)
        #expect(text.records.map(\.body) == ["one", "two", "three"] && text.rejected == 3)
        #expect(try ReadRecord.all(json: json).records.count == 6)

        let filler = Bytes(String(repeating: "x", count: 1000))
        func attribute(_ message: inout ByteBuffer, _ number: UInt32) {
            message.append(field: number) { pair in
                pair.append(field: 1, text: "k")
                pair.append(field: 2) { $0.append(field: 1, bytes: filler.span) }
            }
        }
        func record(_ scope: inout ByteBuffer, _ body: String) {
            scope.append(field: 2) { $0.append(field: 5) { $0.append(field: 1, text: body) } }
        }
        var body = ByteBuffer()
        body.append(field: 1) { resource in
            resource.append(field: 2) { scope in
                record(&scope, "one")
                scope.append(field: 2) { attribute(&$0, 6) }
                record(&scope, "two")
            }
        }
        body.append(field: 1) { resource in
            resource.append(field: 2) { record(&$0, "of a large resource") }
            resource.append(field: 1) { attribute(&$0, 1) }
        }
        body.append(field: 1) { resource in
            resource.append(field: 2) { scope in
                record(&scope, "of a large scope")
                scope.append(field: 1) { $0.append(field: 1, bytes: filler.span) }
            }
            resource.append(field: 2) { record(&$0, "three") }
        }
        let binary = try ReadRecord.all(Array(body.span), limits)
        withExtendedLifetime(filler) {}
        #expect(binary.records.map(\.body) == ["one", "two", "three"] && binary.rejected == 3)
    }

    @Test func `more records than the limit refuse the request`() throws {
        var limits = OTLPLimits()
        limits.records = 1
        #expect(throws: OTLPError.tooManyRecords) {
            try ReadRecord.all(ForeignMessage.request, limits)
        }
    }

    @Test func `unknown fields, groups among them, are stepped over`() throws {
        var body = ByteBuffer()
        body.append(field: 900, varint: 5)
        body.append(field: 901, fixed32: 5)
        // A group 7 with a nested group 8.
        for byte: UInt8 in [7 << 3 | 3, 8 << 3 | 3, 1 << 3, 1, 8 << 3 | 4, 7 << 3 | 4] {
            body.append(byte)
        }
        body.append(contentsOf: ForeignMessage.request)
        #expect(try ReadRecord.all(Array(body.span)).records.count == 2)
    }

    @Test func `a resource that stands after its records is theirs all the same`() throws {
        var body = ByteBuffer()
        body.append(field: 1) { resourceLogs in
            resourceLogs.append(field: 2) { scope in
                scope.append(field: 2) { $0.append(field: 3, text: "INFO") }
            }
            for (key, value) in [("service.name", "late"), ("zone", "b")] {
                resourceLogs.append(field: 1) { resource in
                    resource.append(field: 1) { pair in
                        pair.append(field: 1, text: key)
                        pair.append(field: 2) { $0.append(field: 1, text: value) }
                    }
                }
            }
        }
        let records = try ReadRecord.all(Array(body.span)).records
        #expect(records.map(\.resource) == [#"{"service.name":"late","zone":"b"}"#])
        #expect(records.map(\.service) == ["late"])
    }

    @Test func `text that is no UTF-8 is repaired and stays JSON`() throws {
        var body = ByteBuffer()
        body.append(field: 1) { resourceLogs in
            resourceLogs.append(field: 2) { scope in
                scope.append(field: 2) { record in
                    record.append(field: 6) { pair in
                        pair.append(field: 1, text: "k")
                        pair.append(field: 2) { value in
                            value.append(field: 1) { $0.append(contentsOf: [0x61, 0xFF, 0x22]) }
                        }
                    }
                }
            }
        }
        let records = try ReadRecord.all(Array(body.span)).records
        #expect(records.map(\.attributes) == ["{\"k\":\"a\u{FFFD}\\\"\"}"])
    }

    private func record(_ member: String) -> String {
        #"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{\#(member)}]}]}]}"#
    }
}
