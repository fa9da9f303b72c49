import Primitives

/// Cuts a record that is longer than it may be, so that it is kept in part and not lost.
enum LogCut {
    /// Attributes and resource together leave at least half of the limit to the message.
    static func apply(to record: inout LogRecord, limitBytes: Int) {
        guard record.body.count + record.attributes.count + record.resource.count > limitBytes
        else { return }
        record.flags.insert(.truncated)
        let share = limitBytes / 4
        if record.body.count > limitBytes / 2 || record.attributes.count > share {
            record.attributes = members(record.attributes, atMost: share)
        }
        record.resource = members(record.resource, atMost: share)
        let rest = limitBytes - record.attributes.count - record.resource.count
        guard record.body.count > rest else { return }
        let end = length(of: record.body[...], atMost: rest)
        record.body = UnsafeRawBufferPointer(rebasing: record.body[..<end])
        // What is left is no JSON any more.
        record.flags.remove(.jsonBody)
    }

    /// How many bytes of UTF-8 text stay, at most `limit`, without half a character at the end.
    static func length(of text: Slice<UnsafeRawBufferPointer>, atMost limit: Int) -> Int {
        guard text.count > limit else { return text.count }
        var end = limit
        while end > 0, text[text.startIndex + end] & 0xC0 == 0x80 { end -= 1 }
        return end
    }

    /// An object that is longer than `limit` is left out as a whole: half of one is no JSON.
    private static func members(
        _ object: UnsafeRawBufferPointer, atMost limit: Int
    ) -> UnsafeRawBufferPointer {
        object.count <= limit ? object : LogRecord.none
    }
}
