import Primitives

/// One log record as a line of text.
enum LogLine {
    typealias Fields = (inout LogFields) -> Void

    static func json(
        _ time: Int64, _ level: LogLevel, _ message: StaticString, _ fields: Fields
    ) -> Bytes {
        var line = ByteBuffer(capacity: 256)
        line.append(#"{"time":""#)
        line.append(timestamp: time)
        line.append(#"","level":""#)
        line.append(level.name)
        line.append(#"","message":"#)
        line.append(jsonString: utf8(message))
        var values = LogFields(line, isHumanReadable: false)
        fields(&values)
        line = values.finish()
        line.append("}\n")
        return line.freeze()
    }

    static func text(
        _ time: Int64, _ level: LogLevel, _ message: StaticString, _ fields: Fields
    ) -> Bytes {
        var line = ByteBuffer(capacity: 256)
        line.append(timestamp: time)
        line.append(" ")
        line.append(level.name.uppercased())
        for _ in level.name.count..<9 { line.append(" ") }
        append(printable: utf8(message), to: &line)
        var values = LogFields(line, isHumanReadable: true)
        fields(&values)
        line = values.finish()
        line.append("\n")
        return line.freeze()
    }

    /// Control characters become `?`: a value must not be able to write to the terminal.
    static func append(printable text: UnsafeRawBufferPointer, to line: inout ByteBuffer) {
        for byte in text { line.append(byte < 0x20 || byte == 0x7F ? UInt8(ascii: "?") : byte) }
    }

    private static func utf8(_ text: StaticString) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }
}
