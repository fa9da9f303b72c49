import Primitives

/// What may be shown of a text that was refused: its shape with masked values, on one screen.
extension Masker {
    /// A preview is never longer.
    package static let previewLimitBytes = 2048
    /// Longer names and values are cut.
    private static let textLimitBytes = 64
    /// A larger text is counted and not parsed.
    private static let parseLimitBytes = 256 << 10
    private static let depthLimit = 32
    /// Room for one more member: a name and a value of the longest kind, each byte of them an escape
    /// of six, with 32 bytes for quotes and an ellipsis, and for the closing brackets, one a level.
    private static let reserveBytes = 2 * (6 * textLimitBytes + 16) + depthLimit

    /// Appends the preview of `raw` as one JSON text. What is no JSON may be anything, so it becomes
    /// `{"bytes":N}`, as does what is larger than 256 KiB or nested deeper than 32 levels.
    package func appendPreview(
        of raw: UnsafeRawBufferPointer, to output: inout ByteBuffer
    ) {
        var preview = ByteBuffer(capacity: Masker.previewLimitBytes)
        if let value = masked(raw) {
            append(value, to: &preview)
        } else {
            preview.append("{\"bytes\":")
            preview.append(decimal: raw.count)
            preview.append("}")
        }
        output.append(preview.span)
    }

    private func masked(_ raw: UnsafeRawBufferPointer) -> JSONValue? {
        guard raw.count <= Masker.parseLimitBytes else { return nil }
        var masked = ByteBuffer(capacity: raw.count + 64)
        mask(raw, as: .json, into: &masked)
        return try? JSONValue.parse(masked.span, maxDepth: Masker.depthLimit)
    }

    private func isFull(_ preview: borrowing ByteBuffer) -> Bool {
        preview.count + Masker.reserveBytes > Masker.previewLimitBytes
    }

    private func append(_ value: JSONValue, to preview: inout ByteBuffer) {
        switch value {
        case .null: preview.append("null")
        case .bool(let flag): preview.append(flag ? "true" : "false")
        case .integer(let number): preview.append(decimal: number)
        case .unsigned(let number): preview.append(decimal: number)
        case .double(let number): preview.append(json: number)
        case .string(let text): append(text: text, to: &preview)
        case .array(let elements): append(elements, to: &preview)
        case .object(let members): append(members, to: &preview)
        }
    }

    private func append(_ elements: [JSONValue], to preview: inout ByteBuffer) {
        preview.append("[")
        for (index, element) in elements.enumerated() {
            // Once it is full nothing but closing brackets follows, on every level.
            if isFull(preview) { break }
            if index > 0 { preview.append(",") }
            append(element, to: &preview)
        }
        preview.append("]")
    }

    private func append(
        _ members: [(key: String, value: JSONValue)], to preview: inout ByteBuffer
    ) {
        preview.append("{")
        // A name that comes twice may be why the text was refused; readers of the preview would
        // refuse it in turn.
        var names: Set<String> = []
        for member in members {
            if isFull(preview) { break }
            let name = Masker.cut(member.key, to: Masker.textLimitBytes)
            guard names.insert(name).inserted else { continue }
            if names.count > 1 { preview.append(",") }
            preview.append(jsonString: name)
            preview.append(":")
            append(member.value, to: &preview)
        }
        preview.append("}")
    }

    /// A cut may make a match of what was none, so what was cut is masked once more.
    private func append(text: String, to preview: inout ByteBuffer) {
        guard text.utf8.count > Masker.textLimitBytes else {
            return preview.append(jsonString: Masker.withoutLongNumbers(text))
        }
        var cut = Masker.cut(text, to: Masker.textLimitBytes)
        var masked = ByteBuffer(capacity: 2 * Masker.textLimitBytes)
        cut.withUTF8 {
            _ = mask(UnsafeRawBufferPointer($0), as: .text, into: &masked)
        }
        let shown = Masker.cut(masked.text, to: Masker.textLimitBytes + 3)
        preview.append(jsonString: Masker.withoutLongNumbers(shown))
    }

    /// What is refused may hold a number in a place where no rule sees one, such as that of a card with
    /// letters at its end. Nine digits or more say nothing about why it was refused.
    private static func withoutLongNumbers(_ text: String) -> String {
        guard text.utf8.count >= longNumberDigits else { return text }
        var shown: [UInt8] = []
        var digits = 0
        for byte in text.utf8 {
            digits = byte &- UInt8(ascii: "0") <= 9 ? digits + 1 : 0
            if digits < longNumberDigits {
                shown.append(byte)
            } else if digits == longNumberDigits {
                shown.removeLast(longNumberDigits - 1)
                shown.append(UInt8(ascii: "#"))
            }
        }
        return String(decoding: shown, as: UTF8.self)
    }

    private static let longNumberDigits = 9

    /// At most `limit` bytes, whole characters, with an ellipsis where something is missing.
    private static func cut(_ text: String, to limit: Int) -> String {
        guard text.utf8.count > limit else { return text }
        var cut = ""
        for scalar in text.unicodeScalars {
            guard cut.utf8.count + scalar.utf8.count <= limit else { break }
            cut.unicodeScalars.append(scalar)
        }
        return cut + "…"
    }
}
