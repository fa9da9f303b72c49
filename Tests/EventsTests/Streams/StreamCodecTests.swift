import Primitives
import Redis
import Storage
import Telemetry
import Testing

@testable import EventCoding
@testable import Journal
@testable import Streams

/// What the forwarder writes, and what the consumer makes of it.
@Suite struct StreamCodecTests {
    private let bodies = [
        #"{"type":"signup","plan":"pro"}"#,
        #"{"id":"7","type":"paid","source":"/shop","subject":"o/1","data":{"a":[1,2.5,null]}}"#,
        #"{"type":"t","data":1,"dataschema":"/x","ext":"\"v\"","n":-1,"time":"1969-01-01T00:00:00Z"}"#,
        #"{"id":"a\"\\\u00fc","type":"q\"","source":"/\\","data":"x"}"#,
        #"{"type":"n","data":null}"#, #"{"type":"none","id":"\u002f"}"#,
    ]

    private let journal = JournalIdentity.random()

    /// The payload of a record that holds `bodies`.
    private func payload() throws -> [UInt8] { try record(bodies) }

    private func record(_ bodies: [String]) throws -> [UInt8] {
        let batch = JournalBatch()
        var body = ByteBuffer()
        body.append(bodies.joined(separator: "\n"))
        let source = Bytes("/anonymous")
        var limits = EventLimits()
        limits.eventBytes = 16 << 20
        _ = try EventDecoder(limits: limits).decode(
            body.span, as: .ndjson,
            defaults: EventDefaults(source: source.span, now: testNow), into: batch
        ) { _ in Issue.record("refused") }
        return Array(batch.bytes.span[JournalRecord.headerBytes...].prefix(payloadBytes(batch)))
    }

    private func payloadBytes(_ batch: JournalBatch) -> Int {
        Int(batch.bytes.span.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    }

    private func options(_ encoding: StreamOptions.Encoding) -> StreamOptions {
        var options = StreamOptions(node: "n1", group: "g")
        options.encoding = encoding
        return options
    }

    private func events(_ payload: UnsafeRawBufferPointer) throws -> [Event] {
        var reader = EventPayload(payload)
        var events: [Event] = []
        while let row = try reader.next() { events.append(Event(row)) }
        return events
    }

    @Test func `events come out of JSON entries as they went in`() throws {
        var reader = EventReader(maxDepth: 64)
        let bytes = try payload()
        try bytes.withUnsafeBytes { bytes in
            var payload = EventPayload(bytes)
            while let row = try payload.next() {
                var pipeline = RedisPipeline()
                var command = StreamCommand(
                    StreamKeys(partitions: 4), node: "n1", journal: journal)
                command.setOrigin(sequence: 77)
                command.append(row, to: &pipeline, partition: 2)
                let words = try RESPText.words(pipeline)
                #expect(words.count == 11)
                #expect(words[0...2] == ["XADD", "millrace:{2}:events", "*"])
                #expect(words[5] == "type" && words[7] == "event" && words[9] == "origin")
                var text = ByteBuffer()
                text.append(words[8])
                var origin = ByteBuffer()
                origin.append(words[10])
                let hasGeneratedID = StreamOrigin.hasGeneratedID(origin.span)
                let read = try reader.readEntry(
                    text.span, hasGeneratedID: hasGeneratedID, now: 0)
                #expect(Event(read) == Event(row))
                switch (read.identity, row.identity) {
                case (.generated(let a), .generated(let b)):
                    #expect(a == b && words[10] == "n1:\(journal)-77:g")
                case (.client, .client(let id)):
                    #expect(words[10] == "n1:\(journal)-77")
                    #expect(words[4] == String(decoding: id, as: UTF8.self))
                default: Issue.record("another identity")
                }
            }
        }
    }

    @Test(arguments: StreamOptions.Encoding.allCases)
    func `records up to the floor of a journal's name are not said to be of it`(
        encoding: StreamOptions.Encoding
    ) throws {
        let journal = JournalIdentity.random(above: 2)
        let bytes = try record([#"{"id":"7","type":"paid","source":"/shop"}"#])
        var options = options(encoding)
        options.partitions = 1
        var encoder = StreamEncoder(options, keys: StreamKeys(partitions: 1), journal: journal)
        bytes.withUnsafeBytes { bytes in
            for sequence: UInt64 in 1...4 {
                var part = StreamEncoder.RecordPart()
                let stop = encoder.add(bytes, sequence: sequence, from: &part)
                #expect(stop == .end)
            }
        }
        encoder.finish()
        let commands = String(decoding: encoder.pipeline.encodedText, as: UTF8.self)
        let origins = commands.split(separator: "\r\n").filter { $0.hasPrefix("n1:") }
        let own = "n1:\(journal)-"
        if encoding == .entry {
            #expect(origins.map { $0.hasPrefix(own) } == [false, false, true, true])
            #expect(origins.suffix(2) == ["\(own)3", "\(own)4"])
        } else {
            #expect(origins.map { $0.hasPrefix(own) } == [false, true])
            let places = encoder.places
            #expect(places.map(\.sequence) == [2, 4])
        }
    }

    @Test func `what is left out counts as sent`() throws {
        let bytes = try record(
            ["ann", "bob", "ann"].enumerated().map {
                #"{"id":"\#($0)","type":"t","source":"/s","subject":"\#($1)"}"#
            })
        var options = options(.entry)
        options.partitions = 1
        var encoder = StreamEncoder(options, keys: StreamKeys(partitions: 1), journal: journal)
        let filter = ErasureFilter([ErasureMatcher(EventFilter(subjects: ["ann"]))])
        var part = StreamEncoder.RecordPart()
        let stop = bytes.withUnsafeBytes {
            encoder.add($0, sequence: 1, from: &part, leavingOut: filter)
        }
        #expect(stop == .end && part.count == 3)
        let (count, end) = (encoder.eventCount, encoder.end)
        #expect(count == 1 && end == EventPlace(sequence: 1, count: 3))
    }

    @Test func `a frame holds the events of its partition, in order`() throws {
        let bytes = try payload()
        bytes.withUnsafeBytes { bytes in
            let keys = StreamKeys(partitions: 1)
            var options = options(.frame)
            options.partitions = 1
            var encoder = StreamEncoder(options, keys: keys, journal: journal)
            var part = StreamEncoder.RecordPart()
            let stop = encoder.add(bytes, sequence: 1, from: &part)
            #expect(stop == .end && part.count == bodies.count)
            let commandsBefore = encoder.pipeline.commandCount
            #expect(commandsBefore == 0)
            encoder.finish()
            let (commands, events) = (encoder.pipeline.commandCount, encoder.eventCount)
            #expect(commands == 1)
            #expect(events == bodies.count)
            let partitions = encoder.partitions
            #expect(partitions == [0])
        }
    }

    @Test func `the largest event does not go behind others in a frame`() throws {
        let small = try record([
            #"{"type":"t","id":"1","data":"\#(String(repeating: "x", count: (2 << 20) - 120))"}"#
        ])
        #expect(small.count < 2 << 20 && small.count > (2 << 20) - 200)
        let frame = #"{"type":"t","data":""}"#
        let text = String(repeating: "y", count: (16 << 20) - frame.utf8.count)
        let large = try record([#"{"type":"t","data":"\#(text)"}"#])
        var options = options(.frame)
        options.partitions = 1
        var encoder = StreamEncoder(options, keys: StreamKeys(partitions: 1), journal: journal)
        for (index, bytes) in [small, large].enumerated() {
            bytes.withUnsafeBytes { bytes in
                var part = StreamEncoder.RecordPart()
                let stop = encoder.add(bytes, sequence: UInt64(index + 1), from: &part)
                #expect(stop == .end && part.count == 1)
            }
        }
        encoder.finish()
        let (places, commands) = (encoder.places, encoder.pipeline.commandCount)
        #expect(commands == 2)
        #expect(places == [1, 2].map { EventPlace(sequence: $0, count: 1) })
        let decoder = StreamEntryDecoder(
            StreamKeys(partitions: 1), node: "n", committedSequence: { 0 },
            ErasureExchange(node: "n", book: ErasureBook([])),
            masking: EventMasking(), unreadable: Counter())
        let batch = StreamBatch(partitions: 1, journal: .random())
        for frame in RESPText.frames(encoder.pipeline) {
            frame.withUnsafeBytes { frame in
                decoder.decode(
                    StreamEntryFields(event: nil, frame: frame, origin: nil), of: .zero, 0,
                    into: batch)
            }
        }
        #expect(batch.eventCount == 2 && batch.refused.isEmpty)
    }

    @Test func `a record that is larger than a pipeline goes in several`() throws {
        let bytes = try payload()
        bytes.withUnsafeBytes { bytes in
            var encoder = StreamEncoder(
                options(.entry), keys: StreamKeys(partitions: 4), journal: journal)
            var part = StreamEncoder.RecordPart()
            var sizes: [Int] = []
            while true {
                encoder.removeAll(StreamEncoder.Limits(commands: 4, bytes: 1 << 20))
                let stop = encoder.add(bytes, sequence: 3, from: &part)
                sizes.append(encoder.pipeline.commandCount)
                let end = encoder.end
                #expect(end == EventPlace(sequence: 3, count: sizes.reduce(0, +)))
                if stop == .end { break }
                #expect(stop == .full)
            }
            #expect(sizes == [4, 2])
            encoder.removeAll(StreamEncoder.Limits(commands: 9, bytes: 1))
            part = StreamEncoder.RecordPart()
            let stop = encoder.add(bytes, sequence: 3, from: &part)
            #expect(stop == .full && part.count == 1)
        }
    }

    @Test(arguments: StreamOptions.Encoding.allCases)
    func `what a partition has is not sent to it again`(
        encoding: StreamOptions.Encoding
    ) throws {
        let bytes = try payload()
        bytes.withUnsafeBytes { bytes in
            var encoder = StreamEncoder(
                options(encoding), keys: StreamKeys(partitions: 4), journal: journal)
            func send(_ taken: [EventPlace]) -> (partitions: [UInt8], places: [EventPlace]) {
                encoder.removeAll(taken: taken)
                for sequence in 1...2 as ClosedRange<UInt64> {
                    var part = StreamEncoder.RecordPart()
                    let stop = encoder.add(bytes, sequence: sequence, from: &part)
                    #expect(stop == .end)
                }
                encoder.finish()
                return (encoder.partitions, encoder.places)
            }
            let all = send([])
            // One has refused what it was sent first.
            let refusing = all.partitions[0]
            var taken = Array(repeating: encoder.end, count: 4)
            taken[Int(refusing)] = .start
            let again = send(taken)
            #expect(Set(again.partitions) == [refusing])
            #expect(
                again.partitions.count == all.partitions.filter { $0 == refusing }.count)
            // And what it was sent last.
            taken[Int(refusing)] = EventPlace(sequence: 2, count: 0)
            let rest = send(taken)
            #expect(rest.places.allSatisfy { $0 > taken[Int(refusing)] })
            let nothing = send(Array(repeating: encoder.end, count: 4))
            #expect(nothing.partitions.isEmpty)
        }
    }

    @Test func `events about one subject have one partition, and those about nothing take turns`() {
        let partitioner = StreamPartitioner(options(.entry))
        func partition(_ subject: String?, _ source: String, _ index: Int) -> Int {
            let bytes = [subject ?? "", source].map { Bytes($0) }
            let row = EventRow(
                identity: .generated(Key128(high: 0, low: 0)), time: 0, type: bytes[1].span,
                source: bytes[1].span, subject: subject == nil ? nil : bytes[0].span, data: nil,
                extensions: nil)
            return partitioner.partition(row, sequence: 5, index: index)
        }
        #expect(Set((0..<9).map { partition("s", "/\($0)", $0) }).count == 1)
        #expect(Set((0..<9).map { partition(nil, "/shop", $0) }).count == 1)
        #expect((0..<5).map { partition(nil, "/anonymous", $0) } == [1, 2, 3, 0, 1])
        #expect(Set((0..<50).map { partition("s\($0)", "/", 0) }) == [0, 1, 2, 3])
    }

    @Test func `a payload that is no events is left out and said to be`() {
        var encoder = StreamEncoder(
            options(.entry), keys: StreamKeys(partitions: 4), journal: journal)
        [UInt8](repeating: 9, count: 40).withUnsafeBytes { bytes in
            var part = StreamEncoder.RecordPart()
            let stop = encoder.add(bytes, sequence: 1, from: &part)
            #expect(stop == .corrupt)
        }
        let commands = encoder.pipeline.commandCount
        #expect(commands == 0)
    }
}

/// Reads the commands that a pipeline holds.
enum RESPText {
    /// The value behind each word `frame`.
    static func frames(_ pipeline: borrowing RedisPipeline) -> [[UInt8]] {
        let text = pipeline.encodedText
        let mark = Array("$5\r\nframe\r\n$".utf8)
        var frames: [[UInt8]] = []
        var rest = text[...]
        while let start = rest.firstRange(of: mark)?.upperBound {
            let digits = text[start...].prefix { $0 != 13 }
            let count = Int(String(decoding: digits, as: UTF8.self)) ?? 0
            let value = text[(digits.endIndex + 2)...].prefix(count)
            frames.append(Array(value))
            rest = text[value.endIndex...]
        }
        return frames
    }

    static func words(_ pipeline: borrowing RedisPipeline) throws -> [String] {
        var rest = pipeline.encodedText[...]
        var words: [String] = []
        func number() throws -> Int {
            let line = rest.prefix { $0 != 13 }
            rest = rest.dropFirst(line.count + 2)
            return try #require(Int(String(decoding: line.dropFirst(), as: UTF8.self)))
        }
        for _ in 0..<(try number()) {
            let count = try number()
            words.append(String(decoding: rest.prefix(count), as: UTF8.self))
            rest = rest.dropFirst(count)
            #expect(rest.starts(with: [13, 10]))
            rest = rest.dropFirst(2)
        }
        #expect(rest.isEmpty)
        return words
    }
}
