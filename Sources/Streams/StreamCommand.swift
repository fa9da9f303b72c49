import EventCoding
internal import Glibc
import Journal
import Primitives
import Redis
import Storage

/// Writes XADD commands of single events. One thread at a time; keeps its memory.
struct StreamCommand: ~Copyable {
    /// `XADD`, key and `*`, and the name of the first field: what never changes, by partition.
    private let heads: [Bytes]
    private let node: String
    private var originPrefix: Bytes
    private var origin = ByteBuffer(capacity: 64)
    /// Without the mark of a generated id.
    private var originBytes = 0
    private var id = ByteBuffer(capacity: 40)
    /// Events that were taken in together have the same time, so the last one is kept as text.
    private var time: Int64?
    private var timeText = ByteBuffer(capacity: 24)

    private static let fixedBytes = 512

    /// - Parameter journal: whose records are written.
    init(_ keys: StreamKeys, node: String, journal: JournalIdentity) {
        self.node = node
        originPrefix = StreamOrigin.prefix(node, journal)
        heads = keys.names.map { key in
            Bytes("*11\r\n$4\r\nXADD\r\n$\(key.utf8.count)\r\n\(key)\r\n$1\r\n*\r\n$2\r\nid\r\n")
        }
    }

    mutating func setJournal(_ journal: JournalIdentity) {
        originPrefix = StreamOrigin.prefix(node, journal)
    }

    /// What the events from here on are from.
    mutating func setOrigin(sequence: UInt64) {
        origin.removeAll()
        origin.append(originPrefix.span)
        origin.append(decimal: sequence)
        originBytes = origin.count
        origin.append(StreamOrigin.generatedMark)
    }

    var plainOrigin: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: origin.span[..<originBytes])
    }

    mutating func append(
        _ event: EventRow, to pipeline: inout RedisPipeline, partition: Int
    ) {
        setTime(event.time)
        let eventID: UnsafeRawBufferPointer
        var eventOrigin = plainOrigin
        switch event.identity {
        case .client(let text): eventID = text
        case .generated(let uuid):
            id.removeAll()
            id.append(uuid: uuid)
            eventID = id.span
            eventOrigin = origin.span
        }
        let strings =
            eventID.count + event.type.count + event.source.count + (event.subject?.count ?? 0)
        let json = (event.data?.count ?? 0) + (event.extensions?.count ?? 0)
        let head = heads[partition].span
        let (timeText, type) = (self.timeText.span, event.type)
        pipeline.command(
            bytesAtMost: StreamCommand.fixedBytes + head.count + 8 * strings + json + origin.count
        ) { memory in
            guard let start = memory.baseAddress else { return 0 }
            var cursor = ByteCursor(start)
            cursor.put(head)
            cursor.put(argument: eventID)
            cursor.put("$4\r\ntype\r\n")
            cursor.put(argument: type)
            cursor.put("$5\r\nevent\r\n")
            // 90 bytes of names and punctuation, about.
            cursor.put(argumentOfAbout: 90 + strings + json) { cursor in
                cursor.put(cloudEvent: event, id: eventID, time: timeText)
            }
            cursor.put("$6\r\norigin\r\n")
            cursor.put(argument: eventOrigin)
            return cursor.next - start
        }
    }

    private mutating func setTime(_ value: Int64) {
        guard time != value else { return }
        time = value
        timeText.removeAll()
        timeText.append(timestamp: value)
    }
}

extension ByteCursor {
    /// Writes `event` in the JSON event format of CloudEvents 1.0, section 3, as a
    /// `ByteBuffer` does: once more, for this is what the forwarder spends its time on.
    fileprivate mutating func put(
        cloudEvent event: EventRow, id: UnsafeRawBufferPointer, time: UnsafeRawBufferPointer
    ) {
        put(#"{"specversion":"1.0","id":"#)
        put(jsonString: id)
        put(#","type":"#)
        put(jsonString: event.type)
        put(#","source":"#)
        put(jsonString: event.source)
        if let subject = event.subject {
            put(#","subject":"#)
            put(jsonString: subject)
        }
        put(#","time":""#)
        put(time)
        put(UInt8(ascii: "\""))
        if let data = event.data {
            put(#","data":"#)
            put(data)
        }
        if let members = event.extensions.flatMap(JSONScan.members(of:)) {
            put(UInt8(ascii: ","))
            put(members)
        }
        put(UInt8(ascii: "}"))
    }
}
