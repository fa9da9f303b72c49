import Logs
import Masking
import Primitives
import TestSupport
import Testing

@Suite struct LogDecoderTests {
    private let now = LogHarness.start

    private func decode(
        _ text: String, as format: LogDecoder.Format = .ndjson, limits: LogLimits = LogLimits()
    ) throws -> (batch: LogBatch, rejected: [RejectedLog]) {
        var body = ByteBuffer(capacity: 64)
        body.append(text)
        var rejected: [RejectedLog] = []
        let decoder = LogDecoder(LogBatchWriter(.standard, limits), limits)
        let batch = try decoder.decode(body.span, as: format, now: now) { rejected.append($0) }
        return (batch, rejected)
    }

    private func only(_ text: String) throws -> LogRecord? {
        let (batch, rejected) = try decode(text, as: .json)
        #expect(rejected.isEmpty && batch.count == 1)
        var records = batch.records
        // The test keeps every batch: its record borrows from it.
        LogDecoderTests.kept.withLock { $0.append(batch) }
        return records.next()
    }

    private static let kept = Locked([LogBatch]())

    private func text(_ bytes: UnsafeRawBufferPointer?) -> String? {
        bytes.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func `a message is all that a record needs`() throws {
        let record = try only(#"{"message":"up"}"#)
        #expect(text(record?.body) == "up" && record?.severity == 0)
        #expect(record?.time == now * 1_000_000 && record?.attributes.isEmpty == true)
    }

    @Test func `every member has its place, and others join the attributes`() throws {
        let record = try only(
            #"""
            {"time":"2026-10-31T23:59:59.123456789Z","level":"WARN","message":"slow","service":
            "shop","trace_id":"0123456789ABCDEF0123456789abcdef","span_id":"00f067aa0ba902b7",
            "attributes":{"ms":52},"path":"/a","n":null}
            """#)
        #expect(record?.time == (now - 877) * 1_000_000 + 456_789)
        #expect(record?.severity == 13 && text(record?.severityText) == "WARN")
        #expect(text(record?.service) == "shop" && record?.flags == [.trace, .span])
        #expect(record?.traceID.high == 0x0123_4567_89AB_CDEF)
        #expect(record?.spanID == 0x00F0_67AA_0BA9_02B7)
        #expect(text(record?.attributes) == #"{"ms":52,"path":"/a","n":null}"#)
    }

    @Test(arguments: [
        ("trace", 1), ("Debug", 5), ("INFO", 9), ("notice", 10), ("warning", 13), ("err", 17),
        ("critical", 18), ("alert", 19), ("Fatal", 21), ("emerg", 21), ("unheard-of", 0),
    ])
    func `levels are known by name`(_ name: String, _ number: UInt8) throws {
        let record = try only(#"{"message":"a","level":"\#(name)"}"#)
        #expect(record?.severity == number && text(record?.severityText) == name)
    }

    @Test func `ids that are none become attributes`() throws {
        let zeros = String(repeating: "0", count: 32)
        let record = try only(#"{"message":"a","trace_id":"\#(zeros)","span_id":"xyz"}"#)
        #expect(record?.flags == [])
        #expect(text(record?.attributes) == #"{"trace_id":"\#(zeros)","span_id":"xyz"}"#)
    }

    @Test func `a message may be any JSON`() throws {
        let record = try only(#"{"message":{"a":[1,2]}}"#)
        #expect(record?.flags == [.jsonBody] && text(record?.body) == #"{"a":[1,2]}"#)
    }

    @Test func `half a surrogate pair is replaced, a byte order mark passed over`() throws {
        let record = try only("\u{FEFF}" + #"{"message":"cut \ud83d","k":"\ude00"}"#)
        #expect(text(record?.body) == "cut \u{FFFD}")
        #expect(text(record?.attributes) == #"{"k":"\ufffd"}"#)
        let (batch, rejected) = try decode("{\"message\":\"a\"}\n\u{FEFF}{\"message\":\"b\"}\r\n\n")
        #expect(batch.count == 2 && rejected.isEmpty)
    }

    @Test(arguments: [
        (#"{"level":"info"}"#, "missing_message"), (#"{"message":null}"#, "missing_message"),
        ("[1]", "not_an_object"), (#"{"message":"a","message":"b"}"#, "duplicate_key"),
        (#"{"message":"a","time":"yesterday"}"#, "invalid_time"),
        (#"{"message":"a","time":7}"#, "invalid_time"),
        (#"{"message":"a","time":"1969-12-31T00:00:00Z"}"#, "invalid_time"),
        (#"{"message":"a","time":"2026-11-03T00:00:00Z"}"#, "too_far_in_the_future"),
        (#"{"message":"a","level":25}"#, "invalid_level"),
        (#"{"message":"a","level":0}"#, "invalid_level"),
        (#"{"message":"a","level":true}"#, "invalid_level"),
        (#"{"message":"a"} {"message":"b"}"#, "trailing_content"), ("{", "invalid_json"),
        (#"{"message":1e999}"#, "number_out_of_range"),
    ])
    func `a bad record is refused alone`(_ line: String, _ code: String) throws {
        let (batch, rejected) = try decode("{\"message\":\"good\"}\n\(line)\n{\"message\":\"too\"}")
        #expect(batch.count == 2 && rejected.map(\.fault.code) == [code])
        #expect(rejected.first?.index == 1 && rejected.first?.line == 2)
        #expect(rejected.first?.fault.detail.isEmpty == false)
    }

    @Test(arguments: [
        ("", "empty_body"), ("  \n", "empty_body"), ("no json", "invalid_json"),
        ("{\"message\":\"a\"", "invalid_json"), ("[{\"message\":\"a\"},]", "invalid_json"),
        ("[{\"message\":\"a\"}] x", "trailing_content"), ("[{\"message\":\"a\"}", "invalid_json"),
    ])
    func `a body that is no JSON is refused as a whole`(_ body: String, _ code: String) {
        do {
            _ = try decode(body, as: .json)
            Issue.record("it was taken")
        } catch {
            #expect((error as? BodyError)?.code == code)
        }
    }

    @Test func `an array is a batch, and an empty one holds nothing`() throws {
        let (batch, rejected) = try decode(
            #" [ {"message":"a"} , 7, {"message":"b"} ] "#, as: .json)
        #expect(batch.count == 2 && rejected.map(\.index) == [1] && rejected[0].line == nil)
        #expect(try decode("[]", as: .json).batch.isEmpty)
    }

    @Test func `a record that is far too large is refused alone, in every form of a body`() throws {
        var limits = LogLimits()
        limits.rawRecordBytes = 1000
        let large = #"{"message":"\#(String(repeating: "x", count: 1000))"}"#
        let small = #"{"message":"kept"}"#
        for (text, format) in [
            ("\(large)\n\(small)\n", LogDecoder.Format.ndjson), ("[\(large),\(small)]", .json),
        ] {
            let (batch, rejected) = try decode(text, as: format, limits: limits)
            #expect(batch.count == 1 && rejected.map(\.fault) == [.tooLarge])
        }
        let (batch, rejected) = try decode(large, as: .json, limits: limits)
        #expect(batch.isEmpty && rejected.map(\.fault) == [.tooLarge])
    }

    @Test(arguments: [
        (#""attributes":{"a":1},"a":2"#, #"{"a":1}"#),
        (#""a":2,"attributes":{"a":1,"b":[]},"c":3"#, #"{"a":1,"b":[],"c":3}"#),
        (#""attributes":{"\u0061":1,"b":{"a":0}},"a":2,"x":4"#, #"{"a":1,"b":{"a":0},"x":4}"#),
        (#""attributes":{"a":1},"\u0061":{"b":2}"#, #"{"a":1}"#),
        (
            #""attributes":{"span_id":1, "q\"":2},"span_id":"none","q\"":3,"r":4"#,
            #"{"span_id":1,"q\"":2,"r":4}"#
        ),
        (#""attributes":{},"a":2"#, #"{"a":2}"#),
        (#""attributes":{"a":1},"b":2"#, #"{"a":1,"b":2}"#),
    ])
    func `no name occurs twice in attributes that were put together`(
        members: String, attributes: String
    ) throws {
        let record = try only(#"{"message":"m",\#(members)}"#)
        #expect(text(record?.attributes) == attributes)
    }

    @Test func `a body has at most as many records as it may`() {
        var limits = LogLimits()
        limits.recordsPerBatch = 2
        #expect(throws: BodyError.self) {
            try decode("{\"message\":1}\n{\"message\":2}\n{\"message\":3}", limits: limits)
        }
    }

    @Test func `a secret name is seen through its escapes`() throws {
        let record = try only(#"{"message":"a","p\u0061ssword":"hunter2"}"#)
        #expect(text(record?.attributes)?.contains("hunter2") == false)
        #expect(record?.flags.contains(.masked) == true)
    }
}
