import Primitives
import Storage

/// Turns the text of one event into a row, by the rules of plain events or of CloudEvents.
///
/// What a row borrows is valid until the next text is read. One thread at a time owns it.
package struct EventReader: ~Copyable {
    private var parser: LenientJSONParser
    private var ids = UUIDv7Generator()
    /// Members that are no attribute, joined to an object as they were sent.
    var others = ByteBuffer(capacity: 1024)
    /// Data whose members' names had escapes.
    private var plain = ByteBuffer(capacity: 1024)

    /// What has been read of an event.
    struct Draft {
        var id: UnsafeRawBufferPointer?
        var type: UnsafeRawBufferPointer?
        var source: UnsafeRawBufferPointer?
        var subject: UnsafeRawBufferPointer?
        var time: Int64?
        var data: UnsafeRawBufferPointer?
        var hasSpecversion = false
        var hasBase64 = false
    }

    package init(maxDepth: Int) { parser = LenientJSONParser(maxDepth: maxDepth) }

    /// - Parameter text: one event, with the parser's padding behind it.
    mutating func read(
        _ text: UnsafeRawBufferPointer, isCloudEvent: Bool, _ defaults: EventDefaults
    ) throws(EventFault) -> EventRow {
        let members = try lenientMembers(of: text)
        if members.hasDuplicateKey { throw .duplicateKey }
        others.removeAll()
        var draft = Draft()
        for index in 0..<members.count {
            let member = members[index]
            if isCloudEvent {
                try takeCloudEvent(member, into: &draft)
            } else {
                try takePlain(member, into: &draft)
            }
        }
        if !isCloudEvent, draft.data != nil, !others.isEmpty { try takeBesideData(members) }
        if !others.isEmpty { others.append(UInt8(ascii: "}")) }
        if isCloudEvent { try checkCloudEvent(draft) }
        return try row(draft, isCloudEvent: isCloudEvent, defaults)
    }

    /// Checks that `text`, padded, is JSON of any kind within the depth.
    func checkJSON(
        _ text: UnsafeRawBufferPointer, allowsLoneSurrogates: Bool = false
    ) throws(EventFault) {
        do throws(EventFault) { _ = try members(of: text) } catch .notAnObject {
            return
        } catch .invalidJSON where allowsLoneSurrogates {
            var repaired = ByteBuffer(capacity: 16)
            let replaced = LoneSurrogates.appendReplaced(text, to: &repaired)
            guard !replaced.isEmpty else { throw .invalidJSON }
            try checkJSON(repaired.span)
        }
    }

    func members(of text: UnsafeRawBufferPointer) throws(EventFault) -> JSONMembers {
        do throws(JSONError) { return try parser.strictMembers(of: text) } catch {
            throw EventFault(error)
        }
    }

    /// The members of `text`, in which a lone surrogate is U+FFFD.
    mutating func lenientMembers(
        of text: UnsafeRawBufferPointer
    ) throws(EventFault) -> JSONMembers {
        do throws(JSONError) { return try parser.members(of: text) } catch {
            throw EventFault(error)
        }
    }

    private mutating func row(
        _ draft: Draft, isCloudEvent: Bool, _ defaults: EventDefaults
    ) throws(EventFault) -> EventRow {
        guard let type = draft.type else { throw .missingType }
        if let types = defaults.types, !types.match(type) { throw .typeNotAllowed }
        let others = others.isEmpty ? nil : others.span
        // The flat form: members of a plain event without `data` are its data.
        let isFlat = !isCloudEvent && draft.data == nil
        return EventRow(
            identity: draft.id.map { .client($0) }
                ?? .generated(defaults.id ?? ids.next(milliseconds: defaults.now)),
            time: draft.time ?? defaults.now, type: type, source: draft.source ?? defaults.source,
            subject: draft.subject, data: withPlainNames(isFlat ? others : draft.data),
            extensions: isFlat ? nil : others)
    }

    /// The same data as queries find it: by the names of its members.
    mutating func withPlainNames(_ data: UnsafeRawBufferPointer?) -> UnsafeRawBufferPointer? {
        plain.removeAll()
        guard let data, JSONNames.appendPlain(data, to: &plain) else { return data }
        return plain.span
    }

    private mutating func takePlain(
        _ member: JSONMember, into draft: inout Draft
    ) throws(EventFault) {
        let attribute = EventAttribute(member.key)
        if try take(attribute, member, into: &draft) { return }
        // Somebody's CloudEvent, sent as plain JSON.
        if attribute == .specversion, isVersion1(member) { return }
        append(member)
    }

    /// Reads the members beside `data`, which a first look has taken for data, as CloudEvents has
    /// them: without `data` they would have been somebody's own.
    private mutating func takeBesideData(_ members: JSONMembers) throws(EventFault) {
        others.removeAll()
        for index in 0..<members.count {
            let member = members[index]
            let attribute = EventAttribute(member.key)
            switch attribute {
            case .id, .type, .source, .subject, .time, .data: continue
            case .specversion:
                if isVersion1(member) { continue }
                throw .unsupportedSpecversion
            case .base64: throw .invalidData
            case .contentType, .schema:
                guard try text(member, 1...Int.max, .invalidAttribute) != nil else { continue }
            case .other:
                // As in a CloudEvent, null is not being there.
                if member.kind == .null { continue }
                try checkExtension(member)
            }
            append(member)
        }
    }

    private mutating func takeCloudEvent(
        _ member: JSONMember, into draft: inout Draft
    ) throws(EventFault) {
        let attribute = EventAttribute(member.key)
        if try take(attribute, member, into: &draft) { return }
        // "When decoding attributes and a null value is encountered, it MUST be treated as the
        // equivalent of unset" (JSON event format, section 2.1).
        if member.kind == .null { return }
        switch attribute {
        case .specversion:
            guard isVersion1(member) else { throw .unsupportedSpecversion }
            draft.hasSpecversion = true
            return
        case .base64:
            guard member.kind == .string, Base64.isValid(member.text) else { throw .invalidData }
            draft.hasBase64 = true
        case .contentType, .schema:
            _ = try text(member, 1...Int.max, .invalidAttribute)
        default: try checkExtension(member)
        }
        append(member)
    }

    /// Takes what plain events and CloudEvents have in common.
    /// - Returns: false if the member is none of it.
    func take(
        _ attribute: EventAttribute, _ member: JSONMember, into draft: inout Draft
    ) throws(EventFault) -> Bool {
        switch attribute {
        case .id: draft.id = try text(member, 1...EventLimits.idBytes, .invalidID)
        case .type: draft.type = try text(member, 1...EventLimits.typeBytes, .invalidType)
        case .source:
            draft.source = try text(member, 1...EventLimits.sourceBytes, .invalidSource)
        case .subject:
            draft.subject = try text(member, 1...EventLimits.subjectBytes, .invalidSubject)
        case .time:
            guard let text = try text(member, 1...Int.max, .invalidTime) else { return true }
            guard let time = Timestamp.parse(text) else { throw .invalidTime }
            draft.time = time
        case .data: draft.data = member.raw
        default: return false
        }
        return true
    }

    /// A string attribute's text; nil for null, which is the same as not being there.
    private func text(
        _ member: JSONMember, _ bytes: ClosedRange<Int>, _ fault: EventFault
    ) throws(EventFault) -> UnsafeRawBufferPointer? {
        switch member.kind {
        case .null: return nil
        case .string where bytes.contains(member.text.count):
            guard EventAttribute.isPrintable(member.text), !parser.isReplaced(member.raw) else {
                throw fault
            }
            return member.text
        default: throw fault
        }
    }

    private func isVersion1(_ member: JSONMember) -> Bool {
        member.kind == .string && EventAttribute.matches(member.text, "1.0")
    }

    /// CloudEvents' type system has booleans, integers of 32 bits and strings; neither fractions nor
    /// nesting.
    private func checkExtension(_ member: JSONMember) throws(EventFault) {
        guard EventAttribute.isValidName(member.key) else { throw .invalidExtension }
        switch member.kind {
        case .true, .false: return
        case .integer where Int32(String(decoding: member.raw, as: UTF8.self)) != nil: return
        case .string
        where EventAttribute.isPrintable(member.text) && !parser.isReplaced(member.raw):
            return
        default: throw .invalidExtension
        }
    }

    private func checkCloudEvent(_ draft: Draft) throws(EventFault) {
        if !draft.hasSpecversion { throw .unsupportedSpecversion }
        if draft.id == nil { throw .missingID }
        if draft.source == nil { throw .missingSource }
        if draft.hasBase64, draft.data != nil { throw .invalidData }
    }

    mutating func append(_ member: JSONMember) {
        others.reserve(member.rawKey.count + member.raw.count + 2)
        others.append(others.isEmpty ? UInt8(ascii: "{") : UInt8(ascii: ","))
        others.append(member.rawKey)
        others.append(UInt8(ascii: ":"))
        others.append(member.raw)
    }
}
