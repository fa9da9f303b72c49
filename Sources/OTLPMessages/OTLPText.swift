import Primitives

/// Texts from outside. Protocol Buffers wants UTF-8 in a text; libraries that do not look send other
/// bytes now and then, and one such text is no reason to lose a batch: what is no UTF-8 becomes
/// U+FFFD.
enum OTLPText {
    /// Appends a JSON string with its quotes.
    static func append(json text: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        if isASCII(text) {
            buffer.append(jsonString: text)
        } else {
            buffer.append(jsonString: String(decoding: text, as: UTF8.self))
        }
    }

    /// Appends the text as it is, repaired.
    static func append(_ text: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        if isASCII(text) {
            buffer.append(text)
        } else {
            buffer.append(String(decoding: text, as: UTF8.self))
        }
    }

    static func isASCII(_ text: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        var bits: UInt64 = 0
        while index + 8 <= text.count {
            bits |= text.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            index += 8
        }
        while index < text.count {
            bits |= UInt64(text[index])
            index += 1
        }
        return bits & 0x8080_8080_8080_8080 == 0
    }
}
