import Primitives

/// A look at one reply, or at an element of one. Copying it costs nothing.
///
/// It points into the connection's memory: it is valid until the session's next `send`, and never
/// outside the closure that was given the session. What is needed longer is copied.
package struct RedisReply {
    package enum Kind: UInt8, Sendable { case string, status, error, integer, array, null }

    private let nodes: UnsafePointer<ReplyNode>
    private let text: UnsafeRawPointer
    private let index: Int

    init(nodes: UnsafePointer<ReplyNode>, text: UnsafeRawPointer, index: Int) {
        self.nodes = nodes
        self.text = text
        self.index = index
    }

    package var kind: Kind { nodes[index].kind }
    package var isNull: Bool { kind == .null }

    /// The bytes of a string, a status or an error; nil for the others.
    package var bytes: UnsafeRawBufferPointer? {
        let node = nodes[index]
        switch node.kind {
        case .string, .status, .error:
            return UnsafeRawBufferPointer(start: text + Int(node.value), count: Int(node.count))
        case .integer, .array, .null: return nil
        }
    }

    /// A copy of `bytes`, for what is not read often.
    package var string: String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

    /// An integer, or a string of decimal digits.
    package var integer: Int64? {
        if kind == .integer { return nodes[index].value }
        guard let bytes, !bytes.isEmpty, bytes.count <= 20 else { return nil }
        return Int64(String(decoding: bytes, as: UTF8.self))
    }

    /// What the server refused; nil if it is no error.
    package var error: RedisError? {
        guard kind == .error, let bytes else { return nil }
        return RedisError(serverMessage: bytes)
    }

    /// The class of an error without its message; nil if it is no error. Allocates nothing.
    package var errorCode: RedisError.Code? {
        guard kind == .error, let bytes else { return nil }
        let word = bytes.firstIndex(of: UInt8(ascii: " ")) ?? bytes.endIndex
        return RedisError.Code(firstWord: UnsafeRawBufferPointer(rebasing: bytes[..<word]))
    }

    /// Whether it is a string or status of exactly these bytes.
    package func equals(_ literal: StaticString) -> Bool {
        guard let bytes, kind != .error, bytes.count == literal.utf8CodeUnitCount else {
            return false
        }
        return bytes.elementsEqual(
            UnsafeRawBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    /// The elements of an array; none for the others.
    package var elements: RedisReplies {
        RedisReplies(
            nodes: nodes, text: text, next: index + 1,
            count: kind == .array ? Int(nodes[index].count) : 0)
    }

    var end: Int { Int(nodes[index].end) }
}

/// Replies in order: of a pipeline's commands, or an array's elements. Walking costs nothing per
/// element; the subscript walks to its element. Valid as long as a `RedisReply`.
package struct RedisReplies: Sequence, IteratorProtocol {
    private let nodes: UnsafePointer<ReplyNode>
    private let text: UnsafeRawPointer
    private var nextIndex: Int
    /// Those that are still to come when it is used as an iterator.
    package private(set) var count: Int

    init(nodes: UnsafePointer<ReplyNode>, text: UnsafeRawPointer, next: Int, count: Int) {
        self.nodes = nodes
        self.text = text
        nextIndex = next
        self.count = count
    }

    package var underestimatedCount: Int { count }
    package var isEmpty: Bool { count == 0 }
    package var first: RedisReply? { self[0] }

    package mutating func next() -> RedisReply? {
        guard count > 0 else { return nil }
        let reply = RedisReply(nodes: nodes, text: text, index: nextIndex)
        nextIndex = reply.end
        count -= 1
        return reply
    }

    /// The reply at `position`; nil if there is none. O(`position`).
    package subscript(position: Int) -> RedisReply? {
        guard position >= 0, position < count else { return nil }
        var rest = self
        for _ in 0..<position { _ = rest.next() }
        return rest.next()
    }
}
