/// Steps over the members of a JSON object and parses none of them.
///
///     var members = JSONMemberWalk(object)
///     while let (name, value) = try members.next() { … }
///
/// Minds brackets, strings, commas and colons. What stands between them may still be no JSON: that is
/// for the reader of a value. Borrows its bytes; needs no memory, however large a value is.
package struct JSONMemberWalk {
    private var walk: JSONWalk

    /// - Parameter bytes: from the opening brace on; something may follow the object.
    package init(_ bytes: UnsafeRawBufferPointer) {
        walk = JSONWalk(bytes, opening: UInt8(ascii: "{"), closing: UInt8(ascii: "}"))
    }

    /// The next member: its name with its quotes, as it was sent, and its value. Nil after the last.
    /// - Throws: `invalid`. O(length of the member).
    package mutating func next() throws(JSONError) -> (
        name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer
    )? {
        guard try walk.hasNext() else { return nil }
        let name = try walk.value()
        guard name.first == UInt8(ascii: "\"") else { throw .invalid }
        try walk.expect(UInt8(ascii: ":"))
        return (name, try walk.value())
    }

    /// One after the closing brace; holds once `next` has returned nil.
    package var end: Int { walk.index }
}

/// Steps over the elements of a JSON array, by the rules of `JSONMemberWalk`.
package struct JSONElementWalk {
    private var walk: JSONWalk

    /// - Parameter bytes: from the opening bracket on.
    package init(_ bytes: UnsafeRawBufferPointer) {
        walk = JSONWalk(bytes, opening: UInt8(ascii: "["), closing: UInt8(ascii: "]"))
    }

    /// The next element; nil after the last.
    /// - Throws: `invalid`. O(length of the element).
    package mutating func next() throws(JSONError) -> UnsafeRawBufferPointer? {
        guard try walk.hasNext() else { return nil }
        return try walk.value()
    }
}

/// What the two have in common.
private struct JSONWalk {
    private let bytes: UnsafeRawBufferPointer
    private let opening: UInt8
    private let closing: UInt8
    private var isStarted = false
    private var isOver = false
    /// The next byte that is looked at.
    private(set) var index = 0

    init(_ bytes: UnsafeRawBufferPointer, opening: UInt8, closing: UInt8) {
        self.bytes = bytes
        self.opening = opening
        self.closing = closing
    }

    /// Steps to where the next part begins; false after the last.
    mutating func hasNext() throws(JSONError) -> Bool {
        guard !isOver else { return false }
        let isFirst = !isStarted
        if isFirst {
            isStarted = true
            try expect(opening)
        }
        index = JSONScan.skipSpace(bytes, from: index)
        guard index < bytes.count else { throw .invalid }
        if bytes[index] == closing {
            index += 1
            isOver = true
            return false
        }
        if !isFirst { try expect(UInt8(ascii: ",")) }
        return true
    }

    /// Steps over the next value.
    mutating func value() throws(JSONError) -> UnsafeRawBufferPointer {
        index = JSONScan.skipSpace(bytes, from: index)
        guard index < bytes.count else { throw .invalid }
        let rest = UnsafeRawBufferPointer(rebasing: bytes[index...])
        guard let length = JSONScan.valueLength(rest) else { throw .invalid }
        index += length
        return UnsafeRawBufferPointer(rebasing: rest[..<length])
    }

    mutating func expect(_ byte: UInt8) throws(JSONError) {
        index = JSONScan.skipSpace(bytes, from: index)
        guard index < bytes.count, bytes[index] == byte else { throw .invalid }
        index += 1
    }
}
