import Primitives

/// One log record as a line of text.
enum LogLine {
    static func json(
        _ time: Int64, _ level: LogLevel, _ message: String,
        _ fields: KeyValuePairs<String, LogValue>
    ) -> Bytes {
        var line = ByteBuffer(capacity: 256)
        line.append(#"{"time":""#)
        line.append(timestamp: time)
        line.append(#"","level":""#)
        line.append(level.name)
        line.append(#"","message":"#)
        line.append(jsonString: message)
        for (key, value) in fields {
            line.append(UInt8(ascii: ","))
            line.append(jsonString: key)
            line.append(UInt8(ascii: ":"))
            append(value, to: &line, quoted: true)
        }
        line.append("}\n")
        return line.freeze()
    }

    static func text(
        _ time: Int64, _ level: LogLevel, _ message: String,
        _ fields: KeyValuePairs<String, LogValue>
    ) -> Bytes {
        var line = ByteBuffer(capacity: 256)
        line.append(timestamp: time)
        line.append(" ")
        line.append(level.name.uppercased())
        for _ in level.name.count..<9 { line.append(" ") }
        line.append(printable(message))
        for (key, value) in fields {
            line.append(" ")
            line.append(key)
            line.append("=")
            append(value, to: &line, quoted: false)
        }
        line.append("\n")
        return line.freeze()
    }

    private static func append(_ value: LogValue, to line: inout ByteBuffer, quoted: Bool) {
        switch value {
        case .string(let text):
            if quoted { line.append(jsonString: text) } else { line.append(printable(text)) }
        case .integer(let number): line.append(decimal: number)
        case .real(let number): line.append(json: number)
        case .bool(let flag): line.append(flag ? "true" : "false")
        }
    }

    /// Control characters become `?`: a value must not be able to write to the terminal.
    private static func printable(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
            return text
        }
        return String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? "?" : $0 }))
    }
}
