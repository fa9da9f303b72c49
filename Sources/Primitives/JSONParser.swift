internal import CSimdJSON

/// A simdjson parser that keeps its memory from text to text: about 13 times the largest, and for
/// values up to 32 times, until `shrink` is asked for.
///
/// Not thread-safe: each thread has its own.
package final class JSONParser {
    private var handle: OpaquePointer
    private let maxDepth: Int
    /// The most that was parsed since the memory was new.
    private var largestBytes = 0

    /// - Parameter maxDepth: how many objects and arrays may lie in one another; the outermost
    ///   counts. At most 1,024, since nodes are collected recursively.
    package init(maxDepth: Int) {
        precondition((1...1024).contains(maxDepth))
        guard let handle = millrace_json_create(maxDepth) else {
            preconditionFailure("out of memory")
        }
        self.handle = handle
        self.maxDepth = maxDepth
    }

    deinit { millrace_json_free(handle) }

    /// Parses one object. Behind `bytes` at least `ByteBuffer.padding` bytes must be readable;
    /// what they hold does not matter, so `bytes` may be a slice of a larger padded text.
    /// - Throws: what is wrong with the text. O(n).
    package func members(of bytes: UnsafeRawBufferPointer) throws(JSONError) -> JSONMembers {
        largestBytes = max(largestBytes, bytes.count)
        var found = millrace_json_members()
        let status = millrace_json_parse_members(
            handle, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, &found)
        try check(status, bytes)
        return JSONMembers(found)
    }

    /// Parses one text of any kind, with the same padding, into values that own their memory.
    package func value(of bytes: UnsafeRawBufferPointer) throws(JSONError) -> JSONValue {
        largestBytes = max(largestBytes, bytes.count)
        var found = millrace_json_nodes()
        let status = millrace_json_parse_nodes(
            handle, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, &found)
        try check(status, bytes)
        var nodes = UnsafeBufferPointer(start: found.first, count: found.count)[...]
        return JSONParser.takeValue(&nodes)
    }

    /// Gives its memory back if a text of more than `limit` bytes was parsed, so that one large text
    /// is not paid for ever. What it returned before is void.
    package func shrink(above limit: Int) {
        guard largestBytes > limit, let fresh = millrace_json_create(maxDepth) else { return }
        millrace_json_free(handle)
        handle = fresh
        largestBytes = 0
    }

    private func check(
        _ status: millrace_json_status, _ bytes: UnsafeRawBufferPointer
    ) throws(JSONError) {
        switch status {
        case millrace_json_ok: return
        case millrace_json_empty: throw .empty
        case millrace_json_not_utf8: throw .notUTF8
        case millrace_json_too_deep: throw .tooDeep
        case millrace_json_too_large: throw .tooLarge
        case millrace_json_not_object: throw .notObject
        case millrace_json_bad_number: throw JSONParser.diagnose(bytes) ?? .numberOutOfRange
        default: throw JSONParser.diagnose(bytes) ?? .invalid
        }
    }

    /// simdjson has one error for `01` and for `1e400`, and does not tell a text that goes on from
    /// one that is broken. Nil if the grammar holds. O(n), after a refusal alone.
    private static func diagnose(_ bytes: UnsafeRawBufferPointer) -> JSONError? {
        guard let fault = JSONSyntax.fault(in: bytes) else { return nil }
        return fault.isBehindText ? .trailingContent : .invalid
    }

    /// Takes the first value and all below it from the front of `nodes`.
    private static func takeValue(
        _ nodes: inout Slice<UnsafeBufferPointer<millrace_json_node>>
    ) -> JSONValue {
        guard let node = nodes.popFirst() else { return .null }
        switch JSONKind(rawValue: UInt8(truncatingIfNeeded: node.kind.rawValue)) ?? .null {
        case .null: return .null
        case .false: return .bool(false)
        case .true: return .bool(true)
        case .integer: return .integer(node.number.integer)
        case .unsigned: return .unsigned(node.number.natural)
        case .double: return .double(node.number.real)
        case .string: return .string(text(node))
        case .array: return .array((0..<node.count).map { _ in takeValue(&nodes) })
        case .object:
            return .object(
                (0..<node.count).map { _ in
                    let key = nodes.popFirst().map(text) ?? ""
                    return (key, takeValue(&nodes))
                })
        }
    }

    private static func text(_ node: millrace_json_node) -> String {
        String(
            decoding: UnsafeRawBufferPointer(start: node.text, count: node.count), as: UTF8.self)
    }
}
