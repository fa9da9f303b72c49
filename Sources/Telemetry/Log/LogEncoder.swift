import Masking
import Primitives

/// How records look in a sink.
package enum LogLook: Sendable {
    /// One JSON object a line.
    case json
    /// For people; the level in colour on a terminal.
    case text(isColoured: Bool)
}

/// Makes lines of records. The back end's thread alone uses it.
struct LogEncoder: ~Copyable {
    private let masker: Masker?
    private var constants = LogConstants()
    /// A masked text on its way.
    private var masked = ByteBuffer(capacity: 256)
    /// A number's digits, for values under a secret name.
    private var digits = ByteBuffer(capacity: 32)
    /// False while a record is encoded for a second look: its matches have been counted.
    private var counts = true
    /// The second whose text `prefix` holds: civil dates cost more than the rest of a line's head.
    private var second: UInt64 = .max
    private var prefix = ByteBuffer(capacity: 32)

    init(masker: Masker?) { self.masker = masker }

    /// Appends the record as a line.
    /// - Parameters:
    ///   - sampledOut: how many like it were left out before it.
    ///   - counts: false if the record has been encoded in another look.
    mutating func append(
        _ record: LogRecord, _ look: LogLook, sampledOut: Int, counts: Bool,
        to line: inout ByteBuffer
    ) {
        self.counts = counts
        switch look {
        case .json: appendJSON(record, sampledOut, to: &line)
        case .text(let isColoured): appendText(record, sampledOut, isColoured, to: &line)
        }
    }

    private mutating func appendJSON(
        _ record: LogRecord, _ sampledOut: Int, to line: inout ByteBuffer
    ) {
        line.append(#"{"time":""#)
        append(time: record.nanoseconds, to: &line)
        line.append(#"","level":""#)
        line.append(record.level.label)
        line.append(#"","message":"#)
        constants.append(record.message, to: &line)
        record.forEachField { key, value in
            line.append(UInt8(ascii: ","))
            let isSecret: Bool
            if record.contains(key) {
                isSecret = SecretName.strength(key) != .none
                line.append(jsonString: maskedName(key))
            } else {
                isSecret = constants.isSecretName(key)
                constants.append(key, to: &line)
            }
            line.append(UInt8(ascii: ":"))
            appendJSON(value, of: key, isSecret: isSecret, to: &line)
        }
        if let correlation = record.correlation { append(correlation, to: &line) }
        if sampledOut > 0 {
            line.append(#","sampled_out":"#)
            line.append(decimal: sampledOut)
        }
        line.append("}\n")
    }

    private mutating func append(
        _ correlation: LogRecord.Correlation, to line: inout ByteBuffer
    ) {
        line.append(#","request_id":"#)
        line.append(jsonString: maskedName(correlation.requestID))
        line.append(#","trace_id":""#)
        line.append(hex: correlation.traceHigh, digits: 16)
        line.append(hex: correlation.traceLow, digits: 16)
        line.append(#"","span_id":""#)
        line.append(hex: correlation.span, digits: 16)
        line.append("\"")
    }

    private mutating func appendJSON(
        _ value: LogRecord.Value, of key: UnsafeRawBufferPointer, isSecret: Bool,
        to line: inout ByteBuffer
    ) {
        switch value {
        case .text(let text):
            let isMasked = mask(text, of: key, isSecret: isSecret)
            LogJSON.append(isMasked ? masked.span : text, to: &line)
        case .bool(let flag): line.append(flag ? "true" : "false")
        default:
            if isSecret, maskNumber(value, of: key) {
                LogJSON.append(masked.span, to: &line)
            } else {
                LogEncoder.append(number: value, to: &line)
            }
        }
    }

    private static func append(number value: LogRecord.Value, to line: inout ByteBuffer) {
        switch value {
        case .integer(let number): line.append(decimal: number)
        case .unsigned(let number): line.append(decimal: number)
        case .real(let number): LogJSON.append(number, to: &line)
        case .bool, .text: break
        }
    }

    private mutating func appendText(
        _ record: LogRecord, _ sampledOut: Int, _ isColoured: Bool, to line: inout ByteBuffer
    ) {
        append(time: record.nanoseconds, to: &line)
        line.append(" ")
        let colour = isColoured ? record.level.colour : nil
        if let colour { line.append(colour) }
        line.append(record.level.paddedLabel)
        if colour != nil { line.append("\u{1B}[0m") }
        LogEncoder.append(printable: record.message, to: &line)
        record.forEachField { key, value in
            line.append(" ")
            let isSecret = SecretName.strength(key) != .none
            LogEncoder.append(printable: record.contains(key) ? maskedName(key) : key, to: &line)
            line.append("=")
            if case .text(let text) = value {
                let isMasked = mask(text, of: key, isSecret: isSecret)
                LogEncoder.append(printable: isMasked ? masked.span : text, to: &line)
            } else {
                appendJSON(value, of: key, isSecret: isSecret, to: &line)
            }
        }
        if let correlation = record.correlation {
            line.append(" request_id=")
            LogEncoder.append(printable: maskedName(correlation.requestID), to: &line)
        }
        if sampledOut > 0 {
            line.append(" sampled_out=")
            line.append(decimal: sampledOut)
        }
        line.append("\n")
    }

    // MARK: Masking

    /// - Returns: whether `masked` stands for the text.
    private mutating func mask(
        _ text: UnsafeRawBufferPointer, of key: UnsafeRawBufferPointer, isSecret: Bool
    ) -> Bool {
        guard let masker else { return false }
        masked.removeAll()
        return masker.replace(
            text, named: key, isSecret: isSecret, counts: counts, into: &masked)
    }

    /// For a number under a secret name.
    /// - Returns: whether `masked` stands for it.
    private mutating func maskNumber(
        _ value: LogRecord.Value, of key: UnsafeRawBufferPointer
    ) -> Bool {
        digits.removeAll()
        LogEncoder.append(number: value, to: &digits)
        return mask(digits.span, of: key, isSecret: true)
    }

    /// The name of a field that a library has chosen, or the id of a request that its client may have
    /// chosen. Valid until something else is masked.
    private mutating func maskedName(_ name: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        guard let masker else { return name }
        masked.removeAll()
        let isMasked = masker.replace(name, as: .text, counts: counts, into: &masked)
        return isMasked ? masked.span : name
    }

    private mutating func append(time nanoseconds: UInt64, to line: inout ByteBuffer) {
        if nanoseconds / 1_000_000_000 != second {
            second = nanoseconds / 1_000_000_000
            prefix.removeAll()
            prefix.append(timestamp: Int64(clamping: second) &* 1000)
            prefix.truncate(to: 20)  // `2015-05-17T10:05:03.`
        }
        line.append(prefix.span)
        let milliseconds = Int(nanoseconds / 1_000_000 % 1000)
        let digits = line.spare(4)
        digits[0] = UInt8(milliseconds / 100 + 48)
        digits[1] = UInt8(milliseconds / 10 % 10 + 48)
        digits[2] = UInt8(milliseconds % 10 + 48)
        digits[3] = UInt8(ascii: "Z")
        line.commit(4)
    }

    /// Control characters become `?`: a value must not be able to write to the terminal. So do those
    /// from U+0080 to U+009F, C1, one of which some terminals take for ESC and a bracket.
    private static func append(printable text: UnsafeRawBufferPointer, to line: inout ByteBuffer) {
        var index = 0
        while index < text.count {
            let byte = text[index]
            let isC1 = byte == 0xC2 && index + 1 < text.count && text[index + 1] &- 0x80 < 0x20
            let isControl = byte < 0x20 || byte == 0x7F || isC1
            line.append(isControl ? UInt8(ascii: "?") : byte)
            index += isC1 ? 2 : 1
        }
    }
}

extension LogLevel {
    fileprivate var label: StaticString {
        switch self {
        case .trace: "trace"
        case .debug: "debug"
        case .info: "info"
        case .notice: "notice"
        case .warning: "warning"
        case .error: "error"
        case .critical: "critical"
        }
    }

    fileprivate var paddedLabel: StaticString {
        switch self {
        case .trace: "TRACE    "
        case .debug: "DEBUG    "
        case .info: "INFO     "
        case .notice: "NOTICE   "
        case .warning: "WARNING  "
        case .error: "ERROR    "
        case .critical: "CRITICAL "
        }
    }

    /// ECMA-48 "select graphic rendition"; nil for what is not to stand out.
    fileprivate var colour: StaticString? {
        switch self {
        case .trace, .debug: "\u{1B}[2m"
        case .info: nil
        case .notice: "\u{1B}[36m"
        case .warning: "\u{1B}[33m"
        case .error, .critical: "\u{1B}[31m"
        }
    }
}
