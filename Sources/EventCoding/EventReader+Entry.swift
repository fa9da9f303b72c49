import Primitives
import Storage

extension EventReader {
    /// Reads the `event` of a stream entry: a CloudEvent whose attributes may be anything that a
    /// plain event could bring, because it was judged when it was taken in, and a stricter look
    /// here would lose what was acknowledged.
    /// - Parameters:
    ///   - hasGeneratedID: the service gave the event its id, as `origin` says.
    ///   - now: the time of an event without one, in milliseconds since 1970; another producer's.
    package mutating func readEntry(
        _ text: UnsafeRawBufferPointer, hasGeneratedID: Bool, now: Int64
    ) throws(EventFault) -> EventRow {
        let members = try lenientMembers(of: text)
        others.removeAll()
        var draft = Draft()
        for index in 0..<members.count {
            let member = members[index]
            let attribute = EventAttribute(member.key)
            if try take(attribute, member, into: &draft) { continue }
            // A plain event may have had a member of this name, which then comes second.
            if attribute == .specversion, !draft.hasSpecversion {
                draft.hasSpecversion = true
                continue
            }
            append(member)
        }
        if !others.isEmpty { others.append(UInt8(ascii: "}")) }
        guard let type = draft.type else { throw .missingType }
        guard let source = draft.source else { throw .missingSource }
        // With an id made here, every delivery would be another event.
        guard let id = draft.id else { throw .missingID }
        let generated = hasGeneratedID ? Key128(uuid: id) : nil
        return EventRow(
            identity: generated.map { .generated($0) } ?? .client(id), time: draft.time ?? now,
            type: type, source: source, subject: draft.subject,
            data: withPlainNames(draft.data),
            extensions: others.isEmpty ? nil : others.span)
    }

    /// What is wrong with an event in the journal's form that came from elsewhere, by the rules of an
    /// `event`; nil if nothing is.
    /// - Parameter row: its slices have the parser's padding behind them.
    package func fault(in row: EventRow) -> EventFault? {
        if case .client(let id) = row.identity, !isText(id, 1...EventLimits.idBytes) {
            return .invalidID
        }
        if !isText(row.type, 1...EventLimits.typeBytes) { return .invalidType }
        if !isText(row.source, 1...EventLimits.sourceBytes) { return .invalidSource }
        if let subject = row.subject, !isText(subject, 1...EventLimits.subjectBytes) {
            return .invalidSubject
        }
        do throws(EventFault) {
            if let data = row.data { try checkJSON(data) }
            if let extensions = row.extensions { _ = try members(of: extensions) }
        } catch { return error }
        return nil
    }

    private func isText(_ bytes: UnsafeRawBufferPointer, _ count: ClosedRange<Int>) -> Bool {
        count.contains(bytes.count) && EventAttribute.isPrintable(bytes)
            && JSONSyntax.utf8ErrorOffset(in: bytes) == nil
    }
}
