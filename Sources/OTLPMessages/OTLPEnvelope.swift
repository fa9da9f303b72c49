import Primitives

/// The outer form of a request in OTLP's JSON, down to its records: read without parsing it as a whole,
/// which would take some 50 times its size in memory.
enum OTLPEnvelope {
    /// The members `first` and `second` of an object; nil for one that is absent or null. If one is
    /// there twice, the first counts. Others are checked and stepped over.
    static func members(
        _ first: StaticString, _ second: StaticString?, of object: UnsafeRawBufferPointer
    ) throws(OTLPError) -> (first: UnsafeRawBufferPointer?, second: UnsafeRawBufferPointer?) {
        var walk = JSONMemberWalk(object)
        let found = try members(first, second, of: &walk)
        // A brace may have been closed by a bracket.
        guard walk.end == object.count else { throw .json(.invalid) }
        return found
    }

    static func members(
        _ first: StaticString, _ second: StaticString?, of walk: inout JSONMemberWalk
    ) throws(OTLPError) -> (first: UnsafeRawBufferPointer?, second: UnsafeRawBufferPointer?) {
        var found: (first: UnsafeRawBufferPointer?, second: UnsafeRawBufferPointer?)
        while let (name, value) = try next(&walk) {
            if found.first == nil, isName(name, first) {
                found.first = value
            } else if let second, found.second == nil, isName(name, second) {
                found.second = value
            } else {
                try check(name)
                try check(value)
            }
        }
        return (try notNull(found.first), try notNull(found.second))
    }

    private static func next(
        _ walk: inout JSONMemberWalk
    ) throws(OTLPError) -> (name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)? {
        do throws(JSONError) { return try walk.next() } catch { throw .json(error) }
    }

    /// The elements of the list `value`; nil after the last. An element of another kind than an
    /// object has no members.
    static func nextObject(_ list: inout JSONElementWalk) throws(OTLPError)
        -> UnsafeRawBufferPointer?
    {
        while true {
            let element: UnsafeRawBufferPointer?
            do throws(JSONError) { element = try list.next() } catch { throw .json(error) }
            guard let element else { return nil }
            if element.first == UInt8(ascii: "{") { return element }
            try check(element)
        }
    }

    /// The elements of what is a list or absent.
    static func list(_ value: UnsafeRawBufferPointer?) throws(OTLPError) -> JSONElementWalk {
        guard let value else { return JSONElementWalk(empty) }
        guard value.first == UInt8(ascii: "[") else {
            try check(value)
            throw .wrongType
        }
        guard value.last == UInt8(ascii: "]") else { throw .json(.invalid) }
        return JSONElementWalk(value)
    }

    private static var empty: UnsafeRawBufferPointer {
        let text: StaticString = "[]"
        return UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }

    private static func notNull(
        _ value: UnsafeRawBufferPointer?
    ) throws(OTLPError) -> UnsafeRawBufferPointer? {
        guard let value, value.first == UInt8(ascii: "n") else { return value }
        try check(value)
        return nil
    }

    /// - Parameter name: with its quotes.
    private static func isName(_ name: UnsafeRawBufferPointer, _ wanted: StaticString) -> Bool {
        let text = UnsafeRawBufferPointer(rebasing: name[1..<name.count - 1])
        guard text.contains(UInt8(ascii: "\\")) else { return text.elementsEqual(wanted) }
        // No name that is known is longer than that, even if all of it is escaped.
        guard text.count <= 128 else { return false }
        var plain = ByteBuffer(capacity: 128)
        JSONEscapes.appendResolved(text, to: &plain)
        return plain.span.elementsEqual(wanted)
    }

    /// That what is stepped over is JSON. Needs no memory.
    static func check(_ text: UnsafeRawBufferPointer) throws(OTLPError) {
        if let fault = JSONSyntax.fault(in: text) {
            throw .json(fault.isBehindText ? .trailingContent : .invalid)
        }
        guard JSONSyntax.utf8ErrorOffset(in: text) == nil else { throw .json(.notUTF8) }
    }
}
