import Primitives

/// What may be shown of a refused event: its shape without its values.
///
/// Objects, arrays and keys are kept; a scalar becomes the name of its type. Bytes that are no
/// JSON become `{"bytes":N}`.
package enum MaskedPreview {
    /// A preview is never longer.
    package static let limitBytes = 2048
    /// A longer key is cut: what long is, is rather a value or a secret used as a key.
    package static let keyBytes = 64
    /// Larger texts are counted and not parsed.
    private static let parseBytes = 256 << 10
    private static let maxDepth = 32
    /// Room for one more member with the longest key, all of it escapes of six bytes, with 32 bytes
    /// for its punctuation and type, and for the closing brackets, one a level.
    private static let reserveBytes = 6 * (keyBytes + 3) + 32 + maxDepth

    /// Appends the preview of `raw` as one JSON text.
    package static func append(_ raw: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        var preview = ByteBuffer(capacity: limitBytes)
        if raw.count <= parseBytes, let value = try? JSONValue.parse(raw, maxDepth: maxDepth) {
            append(value, to: &preview)
        } else {
            preview.append("{\"bytes\":")
            preview.append(decimal: raw.count)
            preview.append("}")
        }
        buffer.append(preview.span)
    }

    private static func isFull(_ preview: borrowing ByteBuffer) -> Bool {
        preview.count + reserveBytes > limitBytes
    }

    private static func append(_ value: JSONValue, to preview: inout ByteBuffer) {
        switch value {
        case .null: preview.append("null")
        case .bool: preview.append("\"boolean\"")
        case .integer, .unsigned, .double: preview.append("\"number\"")
        case .string: preview.append("\"string\"")
        case .array(let elements): append(elements, to: &preview)
        case .object(let members): append(members, to: &preview)
        }
    }

    private static func append(_ elements: [JSONValue], to preview: inout ByteBuffer) {
        preview.append("[")
        for (index, element) in elements.enumerated() {
            // Once it is full nothing but closing brackets follows, on every level.
            if isFull(preview) { break }
            if index > 0 { preview.append(",") }
            append(element, to: &preview)
        }
        preview.append("]")
    }

    private static func append(
        _ members: [(key: String, value: JSONValue)], to preview: inout ByteBuffer
    ) {
        preview.append("{")
        // A name that comes twice may be why the event was refused; readers of the preview would
        // refuse it in turn.
        var names: Set<String> = []
        for member in members {
            if isFull(preview) { break }
            let name = cut(member.key)
            guard names.insert(name).inserted else { continue }
            if names.count > 1 { preview.append(",") }
            preview.append(jsonString: name)
            preview.append(":")
            append(member.value, to: &preview)
        }
        preview.append("}")
    }

    /// At most `keyBytes` bytes, whole characters, with an ellipsis where something is missing.
    private static func cut(_ key: String) -> String {
        guard key.utf8.count > keyBytes else { return key }
        var cut = ""
        for scalar in key.unicodeScalars {
            guard cut.utf8.count + scalar.utf8.count <= keyBytes else { break }
            cut.unicodeScalars.append(scalar)
        }
        return cut + "…"
    }
}
