import Primitives
import SQLite

/// Whether an erasure asks for an event that was set aside as bytes: refused, or a dead letter.
///
/// What can be read is compared. What is missing or wrong in it cannot speak for it: an event that was
/// refused because its type is missing is erased with its subject, whichever type is asked for. What
/// cannot be read at all is erased if it came within the time that is asked for, since nobody can say
/// what it holds.
struct SetAsideJudge {
    /// What a step through a table came to.
    struct Step {
        var deleted: Int64 = 0
        /// Rows up to it have been looked at.
        var last: Int64
        var isDone = true
    }

    private let filter: ErasureFilter
    /// Deeper than any event that was taken in.
    private static let maxDepth = 1024

    init(_ filter: ErasureFilter) { self.filter = filter }

    /// Looks at some rows and deletes those that match.
    /// - Parameters:
    ///   - select: up to `?2` rows after `?1` in the order of their numbers, each with its number, the
    ///     time at which it came, and the event.
    ///   - delete: deletes the row with this number, and counts.
    func step(
        _ select: Statement, after first: Int64, limit: Int64,
        delete: (_ seq: Int64) throws(SQLiteError) -> Void
    ) throws(SQLiteError) -> Step {
        select.bind(1, first)
        select.bind(2, limit)
        var step = Step(last: first)
        var rows: Int64 = 0
        var matching: [Int64] = []
        while try select.step() {
            rows += 1
            step.last = select.integer(0)
            if matches(select.bytes(2), received: select.integer(1)) { matching.append(step.last) }
        }
        for seq in matching { try delete(seq) }
        step.deleted = Int64(matching.count)
        step.isDone = rows < limit
        return step
    }

    /// - Parameters:
    ///   - raw: a refused event as it was sent, or a dead letter in the form of CloudEvents.
    ///   - received: when it came, milliseconds since 1970.
    func matches(_ raw: UnsafeRawBufferPointer, received: Int64) -> Bool {
        let event = SetAsideJudge.event(raw)
        return filter.matchers.contains { matcher in
            guard let event else { return matcher.matches(time: received) }
            let time = event["time"]?.text.flatMap { Timestamp.parse($0) } ?? received
            return matcher.matches(time: time)
                && matches(event["type"]?.text) { matcher.matches(type: $0) }
                && matches(event["source"]?.text) { matcher.matches(source: $0) }
                && matchesSubject(event["subject"], matcher)
        }
    }

    /// Source and id of a dead letter.
    static func identity(
        ofLetter letter: UnsafeRawBufferPointer
    ) -> (source: String, id: String)? {
        guard let event = event(letter), let source = event["source"]?.text,
            let id = event["id"]?.text
        else { return nil }
        return (source, id)
    }

    /// Nil unless the bytes are an object.
    private static func event(_ bytes: UnsafeRawBufferPointer) -> JSONValue? {
        guard let value = try? JSONValue.parse(bytes, maxDepth: maxDepth),
            case .object = value
        else { return nil }
        return value
    }

    private func matches(
        _ name: String?, _ matches: (UnsafeRawBufferPointer) -> Bool
    ) -> Bool {
        guard var name else { return true }
        return name.withUTF8 { matches(UnsafeRawBufferPointer($0)) }
    }

    private func matchesSubject(_ subject: JSONValue?, _ matcher: ErasureMatcher) -> Bool {
        switch subject {
        case nil, .null: matcher.matches(subject: nil)
        case .string(var text)?:
            text.withUTF8 { matcher.matches(subject: UnsafeRawBufferPointer($0)) }
        default: true
        }
    }
}
