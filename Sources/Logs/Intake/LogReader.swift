import Primitives

/// Reads one record as `POST /logs` has it: a JSON object of which only `message` is required.
///
/// Not thread-safe: each thread has its own, which keeps its parser's memory.
struct LogReader: ~Copyable {
    /// Kept of a buffer, and the largest text whose parser is kept: 13 times that.
    private static let keptBytes = 64 << 10

    private var parser: LenientJSONParser
    private let limitBytes: Int
    /// Members beside those that a record has, with commas between.
    private var others = ByteBuffer(capacity: 512)
    private var attributes = ByteBuffer(capacity: 512)
    private var plain = ByteBuffer(capacity: 512)

    init(_ limits: LogLimits) {
        parser = LenientJSONParser(maxDepth: limits.jsonDepth)
        limitBytes = limits.rawRecordBytes
    }

    /// Gives back what large records have taken. What `read` returned before is void.
    mutating func shrink() {
        func shrink(_ buffer: inout ByteBuffer) {
            buffer.removeAll()
            buffer.shrink(above: LogReader.keptBytes)
        }
        parser.shrink(above: LogReader.keptBytes)
        shrink(&others)
        shrink(&attributes)
        shrink(&plain)
    }

    /// The record that `text` says, borrowed from it and from this.
    /// - Parameters:
    ///   - text: at least `ByteBuffer.padding` bytes behind it must be readable.
    ///   - now: milliseconds since 1970, the time of a record that has none.
    mutating func read(
        _ text: UnsafeRawBufferPointer, now: Int64
    ) throws(LogFault) -> LogRecord {
        guard text.count <= limitBytes else { throw .tooLarge }
        let members = try members(of: text)
        guard !members.hasDuplicateKey else { throw .duplicateKey }
        others.removeAll()
        var record = LogRecord(time: now * 1_000_000, observed: now * 1_000_000)
        var hasMessage = false
        var own = LogRecord.none
        for index in 0..<members.count {
            let member = members[index]
            switch Name(member.key) {
            case .message:
                guard member.kind != .null else { continue }
                hasMessage = true
                let isText = member.kind == .string
                record.body = isText ? member.text : member.raw
                if !isText { record.flags.insert(.jsonBody) }
            case .time where member.kind != .null:
                record.time = try LogReader.time(member, now: now)
            case .level where member.kind != .null: try LogReader.take(level: member, &record)
            case .service where member.kind == .string: record.service = member.text
            case .traceID where LogReader.take(traceID: member, &record): continue
            case .spanID where LogReader.take(spanID: member, &record): continue
            case .attributes where member.kind == .object: own = member.raw
            case .time, .level: continue
            default: append(member)
            }
        }
        guard hasMessage else { throw .missingMessage }
        record.attributes = merged(own)
        return record
    }

    /// The members of `text`, in which a lone surrogate is U+FFFD.
    private mutating func members(
        of text: UnsafeRawBufferPointer
    ) throws(LogFault) -> JSONMembers {
        do throws(JSONError) { return try parser.members(of: text) } catch {
            throw LogFault(error)
        }
    }

    private static func time(_ member: JSONMember, now: Int64) throws(LogFault) -> Int64 {
        guard member.kind == .string, let time = Timestamp.parse(member.text), time >= 0 else {
            throw .invalidTime
        }
        guard time <= now + LogLimits.aheadMilliseconds else { throw .tooFarInTheFuture }
        return time * 1_000_000 + beyondMilliseconds(member.text)
    }

    /// The nanoseconds that `Timestamp` cuts off.
    private static func beyondMilliseconds(_ text: UnsafeRawBufferPointer) -> Int64 {
        guard text.count > 23, text[19] == UInt8(ascii: ".") else { return 0 }
        var rest: Int64 = 0
        var scale: Int64 = 100_000
        for byte in text[23...] {
            guard byte &- 48 < 10, scale > 0 else { break }
            rest += Int64(byte &- 48) * scale
            scale /= 10
        }
        return rest
    }

    private static func take(level member: JSONMember, _ record: inout LogRecord) throws(LogFault) {
        switch member.kind {
        case .string:
            // A name that is none of the known ones is kept as it is: a log is not lost for it.
            record.severity = LogSeverity.number(member.text) ?? 0
            record.severityText = member.text
        case .integer:
            guard let number = UInt8(String(decoding: member.raw, as: UTF8.self)),
                (1...24).contains(number)
            else { throw .invalidLevel }
            record.severity = number
        default: throw .invalidLevel
        }
    }

    /// - Returns: false if it is no id; then it is an attribute like any other.
    private static func take(traceID member: JSONMember, _ record: inout LogRecord) -> Bool {
        guard member.kind == .string, let id = HexID.trace(member.text) else { return false }
        record.traceID = id
        record.flags.insert(.trace)
        return true
    }

    private static func take(spanID member: JSONMember, _ record: inout LogRecord) -> Bool {
        guard member.kind == .string, let id = HexID.span(member.text) else { return false }
        record.spanID = id
        record.flags.insert(.span)
        return true
    }

    // MARK: Attributes

    private mutating func append(_ member: JSONMember) {
        if !others.isEmpty { others.append(",") }
        others.append(member.rawKey)
        others.append(":")
        others.append(member.raw)
    }

    /// `own` with the other members, but for those whose name it has itself; names with their escapes
    /// resolved, so that masking by name and queries see them.
    private mutating func merged(_ own: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let whole = joined(own)
        guard !others.isEmpty, JSONScan.members(of: own) != nil else { return whole }
        // They are in the whole by now.
        others.removeAll()
        let isChanged = LogMemberNames.appendWithoutRepeats(
            whole, ofFirst: LogMemberNames.count(own), to: &others)
        return isChanged ? others.span : whole
    }

    private mutating func joined(_ own: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        attributes.removeAll()
        if others.isEmpty {
            if JSONScan.members(of: own) == nil { return LogRecord.none }
            attributes.append(own)
        } else {
            attributes.append("{")
            if let members = JSONScan.members(of: own) {
                attributes.append(members)
                attributes.append(",")
            }
            attributes.append(others.span)
            attributes.append("}")
        }
        plain.removeAll()
        guard JSONNames.appendPlain(attributes.span, to: &plain) else { return attributes.span }
        return plain.span
    }

    /// A member that a record has by itself.
    private enum Name {
        case message, time, level, service, traceID, spanID, attributes, other

        init(_ key: UnsafeRawBufferPointer) {
            func matches(_ name: StaticString) -> Bool {
                key.elementsEqual(
                    UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
            }
            switch key.count {
            case 4 where matches("time"): self = .time
            case 5 where matches("level"): self = .level
            case 7 where matches("message"): self = .message
            case 7 where matches("service"): self = .service
            case 7 where matches("span_id"): self = .spanID
            case 8 where matches("trace_id"): self = .traceID
            case 10 where matches("attributes"): self = .attributes
            default: self = .other
            }
        }
    }
}
