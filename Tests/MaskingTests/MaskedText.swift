import Masking
import Primitives

extension Masker {
    /// `text` masked, as a string.
    func masked(_ text: String, as reading: Reading = .line) -> String {
        var output = ByteBuffer()
        let bytes = Bytes(text)
        withExtendedLifetime(bytes) { _ = mask(bytes.span, as: reading, into: &output) }
        return output.text
    }
}
