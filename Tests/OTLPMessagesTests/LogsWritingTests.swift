import OTLPMessages
import Primitives
import TestSupport
import Testing

/// Writing, and reading again what was written.
@Suite struct LogsWritingTests {
    @Test func `what was read is written with nothing lost but what is not looked at`() throws {
        let (records, _) = try ReadRecord.all(ForeignMessage.request)
        let again = try ReadRecord.all(rewritten(ForeignMessage.request)).records
        #expect(again == records)
    }

    @Test func `two messages one behind the other are one message`() throws {
        let once = rewritten(ForeignMessage.request)
        #expect(try ReadRecord.all(once + once).records.count == 4)
    }

    @Test func `records of one resource and scope share them`() throws {
        var writer = OTLPLogsWriter()
        let resource = Bytes(#"{"service.name":"a"}"#)
        let body = Bytes("x")
        withExtendedLifetime((resource, body)) {
            var record = OTLPLogRecord()
            record.resource = resource.span
            record.body = body.span
            for _ in 0..<1000 { writer.append(record) }
        }
        #expect(writer.count == 1000)
        let message = writer.finish()
        // A record is 7 bytes; the resource stands there once.
        #expect(message.count < 1000 * 8 + 64)
        #expect(try ReadRecord.all(message.array).records.count == 1000)
        #expect(writer.count == 0)
    }

    @Test func `what is no JSON after all is sent as text`() throws {
        var writer = OTLPLogsWriter()
        let cut = Bytes(#"{"a":[1,2"#)
        withExtendedLifetime(cut) {
            var record = OTLPLogRecord()
            record.body = cut.span
            record.isJSONBody = true
            record.attributes = cut.span
            writer.append(record)
        }
        let records = try ReadRecord.all(writer.finish().array).records
        #expect(records.map(\.body) == [#"{"a":[1,2"#])
        #expect(records.map(\.attributes) == [#"{"unreadable":"{\"a\":[1,2"}"#])
    }

    @Test(arguments: 0..<20)
    func `any JSON becomes a value and comes back`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<50 {
            let json = object(&random, depth: 0)
            var writer = OTLPLogsWriter()
            let bytes = Bytes(json)
            withExtendedLifetime(bytes) {
                var record = OTLPLogRecord()
                record.attributes = bytes.span
                writer.append(record)
            }
            let records = try ReadRecord.all(writer.finish().array).records
            // An object without members is as good as none.
            let attributes = records.first?.attributes ?? ""
            #expect(
                try JSONValue.parse(attributes.isEmpty ? "{}" : attributes)
                    == JSONValue.parse(json),
                "seed \(seed): \(json)")
        }
    }

    @Test(arguments: 0..<20)
    func `damaged bytes are read or refused, and never more than that`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let sound = ForeignMessage.request
        var refused = 0
        for _ in 0..<500 {
            var bytes = sound
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                bytes[index] = UInt8.random(in: .min ... .max, using: &random)
            }
            if Bool.random(using: &random) {
                bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random))
            }
            do {
                for record in try ReadRecord.all(bytes).records {
                    // Whatever it is, it stays JSON.
                    if !record.attributes.isEmpty { _ = try JSONValue.parse(record.attributes) }
                    if record.isJSONBody { _ = try JSONValue.parse(record.body) }
                }
            } catch is OTLPError {
                refused += 1
            } catch {
                Issue.record("seed \(seed): \(error)")
            }
        }
        #expect(refused > 0)
    }

    private func rewritten(_ message: [UInt8]) -> [UInt8] {
        var reader = OTLPLogsReader()
        var writer = OTLPLogsWriter()
        let body = Bytes(message)
        withExtendedLifetime(body) {
            _ = try? reader.read(body.span) { writer.append($0) }
        }
        return writer.finish().array
    }

    private func object(_ random: inout SeededGenerator, depth: Int) -> String {
        let members = (0..<Int.random(in: 0...4, using: &random)).map { index in
            #""k\#(index)":\#(value(&random, depth: depth + 1))"#
        }
        return "{" + members.joined(separator: ", ") + "}"
    }

    private func value(_ random: inout SeededGenerator, depth: Int) -> String {
        switch Int.random(in: 0..<(depth < 4 ? 10 : 8), using: &random) {
        case 0: "null"
        case 1: "true"
        case 2: "false"
        case 3: "\(Int64.random(in: .min ... .max, using: &random))"
        case 4: "\(Double.random(in: -1e9...1e9, using: &random))"
        case 5: #""\u00e9 \"\\ \n \ud83d\ude00 plain é 😀""#
        case 6: #""""#
        case 7: "\"" + String(repeating: "x", count: Int.random(in: 0..<300, using: &random)) + "\""
        case 8: object(&random, depth: depth)
        default:
            "["
                + (0..<Int.random(in: 0...3, using: &random))
                .map { _ in value(&random, depth: depth + 1) }.joined(separator: ",") + "]"
        }
    }
}
