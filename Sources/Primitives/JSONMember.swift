internal import CSimdJSON

/// What kind of value a JSON text says.
package enum JSONKind: UInt8, Sendable {
    /// `integer` fits Int64; `unsigned` is above that and fits UInt64.
    case null, `false`, `true`, integer, unsigned, double, string, array, object
}

/// One member of an object, borrowed: `key` and `text` until the parser is used again, the raw
/// bytes as long as the input.
package struct JSONMember {
    /// Without quotes and escapes.
    package let key: UnsafeRawBufferPointer
    /// A string's text without quotes and escapes; empty for other kinds.
    package let text: UnsafeRawBufferPointer
    /// The key as it was sent, quotes included.
    package let rawKey: UnsafeRawBufferPointer
    /// The value as it was sent, without white space around it.
    package let raw: UnsafeRawBufferPointer
    package let kind: JSONKind

    init(_ member: millrace_json_member) {
        key = UnsafeRawBufferPointer(start: member.key, count: Int(member.key_bytes))
        text = UnsafeRawBufferPointer(start: member.text, count: Int(member.text_bytes))
        rawKey = UnsafeRawBufferPointer(start: member.raw_key, count: Int(member.raw_key_bytes))
        raw = UnsafeRawBufferPointer(start: member.raw, count: Int(member.raw_bytes))
        kind = JSONKind(rawValue: UInt8(truncatingIfNeeded: member.kind)) ?? .null
    }
}

/// The members of an object in the order of the input; valid until the parser is used again.
package struct JSONMembers {
    let members: UnsafeBufferPointer<millrace_json_member>
    /// Two members have the same key, once escapes are resolved.
    package let hasDuplicateKey: Bool

    init(_ found: millrace_json_members) {
        members = UnsafeBufferPointer(start: found.first, count: found.count)
        hasDuplicateKey = found.has_duplicate_key
    }

    package var count: Int { members.count }
    package subscript(index: Int) -> JSONMember { JSONMember(members[index]) }
}
