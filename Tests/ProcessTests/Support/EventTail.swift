import TestSupport

/// A client of `GET /events/tail`: reads server-sent events (WHATWG HTML, section 9.2).
final class EventTail {
    struct Message {
        var id = ""
        var event = ""
        var data = ""

        /// The CloudEvent's `id`.
        var eventID: String? { (try? JSONTree.parse(data))?["id"]?.string }
    }

    private let connection: ClientConnection
    private var text = ""

    /// - Parameter path: of another tail.
    init(
        _ service: RunningService, _ parameters: String = "", after lastID: String? = nil,
        headers: [String: String] = [:], path: String = "/events/tail"
    ) throws {
        connection = try service.connect()
        var headers = headers
        headers["Accept"] = "text/event-stream"
        headers["Last-Event-ID"] = lastID
        try connection.send("GET", "\(path)\(parameters)", headers: headers)
        let head = try connection.receiveHead()
        guard head.status == 200, head.header("Content-Type") == "text/event-stream" else {
            throw TestError("the tail answers \(head.status)")
        }
    }

    /// The next `count` messages; comments are passed over.
    func next(_ count: Int) throws -> [Message] {
        var messages: [Message] = []
        while messages.count < count {
            while let end = text.firstRange(of: "\n\n") {
                let block = text[..<end.lowerBound]
                if let message = EventTail.parse(block) { messages.append(message) }
                text.removeSubrange(..<end.upperBound)
                if messages.count == count { return messages }
            }
            guard let chunk = try connection.receiveChunk() else {
                throw TestError("the tail ended after \(messages.count) of \(count)")
            }
            text += String(decoding: chunk, as: UTF8.self)
        }
        return messages
    }

    private static func parse(_ block: Substring) -> Message? {
        var message = Message()
        var isComment = true
        for line in block.split(separator: "\n") where !line.hasPrefix(":") {
            isComment = false
            let parts = line.split(separator: ":", maxSplits: 1)
            let value = parts.count > 1 ? parts[1].drop { $0 == " " } : ""
            switch parts[0] {
            case "id": message.id = String(value)
            case "event": message.event = String(value)
            case "data": message.data += String(value)
            default: continue
            }
        }
        return isComment ? nil : message
    }
}
