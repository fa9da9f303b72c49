import Logs
import Masking
import Primitives
import Testing

@Suite struct LogBatchTests {
    @Test func `a record comes back from a batch as it went in`() {
        let body = Bytes("started"), service = Bytes("shop"), attributes = Bytes(#"{"port":80}"#)
        var record = LogRecord(time: 1_700_000_000_000_000_001, observed: 2)
        record.severity = 13
        record.flags = [.trace, .span]
        record.traceID = Key128(high: 1, low: 2)
        record.spanID = 3
        record.traceFlags = 1
        record.body = body.span
        record.service = service.span
        record.attributes = attributes.span
        let writer = LogBatchWriter(.standard)
        writer.append(record)
        writer.append(record)
        let batch = writer.finish()
        #expect(batch.count == 2)
        var records = batch.records
        for _ in 0..<2 {
            let read = records.next()
            #expect(read?.time == 1_700_000_000_000_000_001 && read?.observed == 2)
            #expect(read?.severity == 13 && read?.flags == [.trace, .span])
            #expect(read?.traceID == Key128(high: 1, low: 2) && read?.spanID == 3)
            #expect(read.map { Bytes($0.body).text } == "started")
            #expect(read.map { Bytes($0.service).text } == "shop")
            #expect(read.map { Bytes($0.attributes).text } == #"{"port":80}"#)
            #expect(read?.resource.isEmpty == true)
        }
        #expect(records.next() == nil)
        withExtendedLifetime((body, service, attributes, batch)) {}
    }

    @Test func `records share a resource and a scope, and others keep theirs`() {
        let filler = String(repeating: "x", count: 100_000)
        let large = Bytes(#"{"mail":"ada@example.org","filler":"\#(filler)"}"#)
        let small = Bytes(#"{"host":"b"}"#), name = Bytes("shop"), body = Bytes("a message")
        let long = Bytes(String(repeating: "long ", count: 60_000))
        let writer = LogBatchWriter(.standard)
        // The second leaves no room for its resource. 0 says nothing of others.
        let numbers: [(resource: UInt64, scope: UInt64)] = [
            (7, 1), (7, 1), (7, 2), (8, 2), (8, 3), (0, 0), (7, 0), (7, 3),
        ]
        for (index, number) in numbers.enumerated() {
            var record = LogRecord(time: Int64(index), observed: 1)
            record.resourceNumber = number.resource
            record.scopeNumber = number.scope
            record.resource = number.resource == 7 ? large.span : small.span
            record.service = number.resource == 8 ? LogRecord.none : name.span
            record.scopeName = number.scope == 2 ? name.span : LogRecord.none
            record.scopeVersion = number.scope == 3 ? name.span : LogRecord.none
            record.body = index == 1 ? long.span : body.span
            writer.append(record)
        }
        let batch = writer.finish()
        var records = batch.records
        for (index, number) in numbers.enumerated() {
            guard let read = records.next() else {
                Issue.record("record \(index) is missing")
                break
            }
            #expect(read.time == Int64(index))
            #expect(Bytes(read.service).text == (number.resource == 8 ? "" : "shop"))
            #expect(Bytes(read.scopeName).text == (number.scope == 2 ? "shop" : ""))
            #expect(Bytes(read.scopeVersion).text == (number.scope == 3 ? "shop" : ""))
            #expect(read.flags.contains(.masked) == (number.resource == 7))
            let text = Bytes(read.resource).text
            switch (number.resource, index) {
            case (7, 1): #expect(text.isEmpty && read.flags.contains(.truncated))
            case (7, _): #expect(text.hasPrefix(#"{"mail":"[EMAIL]","filler":"x"#))
            default: #expect(text == #"{"host":"b"}"#)
            }
            if index != 1 { #expect(Bytes(read.body).text == "a message") }
        }
        #expect(records.next() == nil)
        #expect(batch.expandedBytes > batch.byteCount)
        withExtendedLifetime((large, small, name, body, long, batch)) {}
    }

    @Test func `a large resource above many records is in their batch once`() {
        let resource = Bytes(#"{"filler":"\#(String(repeating: "x", count: 200_000))"}"#)
        let writer = LogBatchWriter(.standard)
        var record = LogRecord(time: 1, observed: 1)
        record.resourceNumber = 1
        record.resource = resource.span
        for number in 0..<1000 {
            // A scope of its own is no reason to say the resource again.
            record.scopeNumber = UInt64(number)
            writer.append(record)
        }
        let batch = writer.finish()
        #expect(batch.count == 1000 && batch.byteCount < 400_000)
        var records = batch.records
        while let read = records.next() { #expect(read.resource.count == resource.span.count) }
        withExtendedLifetime((resource, batch)) {}
    }

    @Test func `what goes into a batch is masked, whatever field it stands in`() {
        let text = Bytes("mail to ada@example.org"), json = Bytes(#"{"password":"hunter2"}"#)
        var record = LogRecord(time: 1, observed: 1)
        record.body = text.span
        record.attributes = json.span
        record.resource = json.span
        record.eventName = text.span
        record.severityText = text.span
        record.service = text.span
        record.scopeName = text.span
        let writer = LogBatchWriter(.standard)
        writer.append(record)
        let batch = writer.finish()
        var records = batch.records
        guard let read = records.next() else {
            Issue.record("there is no record")
            return
        }
        #expect(read.flags.contains(.masked))
        for field in [
            read.body, read.attributes, read.resource, read.eventName, read.severityText,
            read.service, read.scopeName,
        ] {
            let text = Bytes(field).text
            #expect(!text.isEmpty && !text.contains("ada@") && !text.contains("hunter2"))
        }
        withExtendedLifetime((text, json, batch)) {}
    }

    @Test func `a long record is masked, then cut at a character, and flagged`() {
        var limits = LogLimits()
        limits.recordBytes = 64
        // The address lies across the place where the text is cut.
        let text = Bytes(String(repeating: "ä", count: 25) + " ada@example.org and so on and so on")
        var record = LogRecord(time: 1, observed: 1)
        record.body = text.span
        let writer = LogBatchWriter(.standard, limits)
        writer.append(record)
        let batch = writer.finish()
        var records = batch.records
        let read = records.next()
        #expect(read?.flags.contains(.truncated) == true)
        let body = read.map { Bytes($0.body).text } ?? ""
        #expect(body.utf8.count <= 64 && body.hasPrefix("ä") && !body.contains("ada"))
        #expect(!body.contains("\u{FFFD}"))
        withExtendedLifetime((text, batch)) {}
    }
}
