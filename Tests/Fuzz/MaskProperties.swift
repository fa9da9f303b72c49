import Masking
import Primitives

/// What must hold of masking for any bytes.
package struct MaskProperties: Sendable {
    /// What a text says that was planted and found again.
    private static let secrets = [
        "zoe@example.org", "4012888888881881", "GB82WEST12345698765432", "203.0.113.79",
        "123-45-6789", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "2001:db8:85a3::8a2e:370:7334",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    ]

    private let maskers: [Masker]

    package init() throws {
        var strict = MaskingPolicy()
        strict.isStrict = true
        var hashed = MaskingPolicy()
        hashed.hashKey = MaskingHashKey(id: "k1", secret: Array("0123456789abcdef".utf8))
        hashed.forms = [.email: .hash, .key: .hash, .card: .partial, .iban: .partial, .jwt: .hash]
        maskers = [.standard, try Masker(strict), try Masker(hashed)]
    }

    /// What does not hold; nil if everything does. The first byte chooses the masker and how the rest
    /// is read.
    package func fault(of bytes: UnsafeRawBufferPointer) -> String? {
        guard let choice = bytes.first else { return nil }
        let masker = maskers[Int(choice) % maskers.count]
        let reading: Masker.Reading = [.line, .text, .json][Int(choice) / 3 % 3]
        let text = UnsafeRawBufferPointer(rebasing: bytes[1...])
        return fault(of: text, masker, reading)
            ?? plantedFault(
                text, masker, MaskProperties.secrets[Int(choice) / 9 % MaskProperties.secrets.count]
            )
    }

    private func fault(
        of text: UnsafeRawBufferPointer, _ masker: Masker, _ reading: Masker.Reading
    ) -> String? {
        var once = ByteBuffer()
        masker.mask(text, as: reading, into: &once)
        var twice = ByteBuffer()
        masker.mask(once.span, as: reading, into: &twice)
        guard once.span.elementsEqual(twice.span) else {
            return "a second pass changes \(once.text.debugDescription) to "
                + twice.text.debugDescription
        }
        let isText = JSONSyntax.utf8ErrorOffset(in: text) == nil
        guard !isText || JSONSyntax.utf8ErrorOffset(in: once.span) == nil else {
            return "what was UTF-8 is none any more"
        }
        guard reading != .text, (try? JSONValue.parse(text, maxDepth: 64)) != nil else {
            return nil
        }
        if (try? JSONValue.parse(once.span, maxDepth: 64)) == nil {
            return "what was JSON is none any more: \(once.text.debugDescription)"
        }
        return nil
    }

    /// Puts a secret among other text, with white space around it: glued to something it may rightly
    /// be something else.
    private func plantedFault(
        _ text: UnsafeRawBufferPointer, _ masker: Masker, _ secret: String
    ) -> String? {
        var planted = ByteBuffer()
        planted.append(UnsafeRawBufferPointer(rebasing: text[..<(text.count / 2)]))
        planted.append(" \n ")
        planted.append(secret)
        planted.append(" \n ")
        planted.append(UnsafeRawBufferPointer(rebasing: text[(text.count / 2)...]))
        guard !MaskProperties.contains(text, secret) else { return nil }
        var masked = ByteBuffer()
        masker.mask(planted.span, as: .text, into: &masked)
        if MaskProperties.contains(masked.span, secret) {
            return "\(secret) is still in \(masked.text.debugDescription)"
        }
        var json = ByteBuffer()
        json.append("{\"a\":[1,{\"b\":")
        json.append(jsonString: planted.span)
        json.append("}]}")
        masked.removeAll()
        masker.mask(json.span, as: .line, into: &masked)
        if MaskProperties.contains(masked.span, secret) {
            return "\(secret) is still in \(masked.text.debugDescription)"
        }
        return nil
    }

    private static func contains(_ bytes: UnsafeRawBufferPointer, _ word: String) -> Bool {
        bytes.firstRange(of: Array(word.utf8)) != nil
    }
}
