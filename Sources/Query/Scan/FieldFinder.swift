internal import CJSONFields
import Primitives

/// Finds the values of some paths in JSON text, in one pass over its bytes. One thread at a time.
///
///     let finder = FieldFinder([path])
///     finder.read(bytes)
///     finder.value(0)
final class FieldFinder {
    private let handle: OpaquePointer
    private var found: UnsafePointer<millrace_field>
    /// What escaped text and spacious JSON is written to; at most one value a slot, so that the
    /// values of one document live together.
    private var scratch: [ScratchBytes]

    let count: Int

    init(_ paths: [QueryPath]) {
        guard let handle = millrace_fields_create() else { preconditionFailure("out of memory") }
        self.handle = handle
        for (slot, path) in paths.enumerated() { FieldFinder.add(path, slot, to: handle) }
        scratch = paths.map { _ in ScratchBytes() }
        count = paths.count
        found = millrace_fields_find(handle, nil, 0)
    }

    deinit { millrace_fields_free(handle) }

    private static func add(_ path: QueryPath, _ slot: Int, to handle: OpaquePointer) {
        var node: Int32 = 0
        for segment in path.segments {
            var name = segment.name.text
            node = name.withUTF8 { bytes in
                bytes.withMemoryRebound(to: CChar.self) {
                    millrace_fields_child(
                        handle, node, $0.baseAddress, $0.count, Int32(segment.index ?? -1))
                }
            }
            precondition(node >= 0, "out of memory")
        }
        precondition(millrace_fields_mark(handle, node, Int32(slot)), "out of memory")
    }

    /// Looks into another document, whose bytes must stay where they are while values are used.
    func read(_ json: UnsafeRawBufferPointer) {
        found = millrace_fields_find(
            handle, json.baseAddress?.assumingMemoryBound(to: CChar.self), json.count)
    }

    /// The value of path number `slot` in the document read last.
    func value(_ slot: Int) -> QueryValue {
        let field = found[slot]
        switch UInt32(field.kind) {
        case millrace_field_integer.rawValue: return .integer(field.number.integer)
        case millrace_field_real.rawValue: return .real(field.number.real)
        case millrace_field_true.rawValue: return .boolean(true)
        case millrace_field_false.rawValue: return .boolean(false)
        case millrace_field_text.rawValue:
            guard field.is_escaped else {
                return .text(UnsafeRawBufferPointer(start: field.bytes, count: Int(field.count)))
            }
            return .text(
                scratch[slot].write(Int(field.count)) {
                    millrace_text_unescape(field.bytes, Int(field.count), $0)
                })
        case millrace_field_json.rawValue:
            return .json(
                scratch[slot].write(Int(field.count)) {
                    millrace_json_minify(field.bytes, Int(field.count), $0)
                })
        default: return .null
        }
    }
}

/// Bytes that are overwritten again and again.
final class ScratchBytes {
    private var base: UnsafeMutableRawPointer
    private var capacity = 64

    init() { base = .allocate(byteCount: capacity, alignment: 1) }
    deinit { base.deallocate() }

    /// What `body` writes; it may use `most` bytes and returns how many it has used. Valid until the
    /// next call.
    func write(
        _ most: Int, _ body: (UnsafeMutablePointer<CChar>) -> Int
    ) -> UnsafeRawBufferPointer {
        if most > capacity {
            base.deallocate()
            capacity = max(most, capacity * 2)
            base = .allocate(byteCount: capacity, alignment: 1)
        }
        let count = body(base.assumingMemoryBound(to: CChar.self))
        return UnsafeRawBufferPointer(start: base, count: count)
    }
}

/// A secret hash of bytes that clients choose, for a table in memory.
enum TableHash {
    /// One a process: whoever does not know it cannot make keys collide.
    static let seed = UInt64.random(in: .min ... .max)

    @inline(__always)
    static func hash(_ bytes: UnsafeRawBufferPointer, _ seed: UInt64 = seed) -> UInt64 {
        millrace_table_hash(bytes.baseAddress, bytes.count, seed)
    }
}
