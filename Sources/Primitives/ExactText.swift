/// A text that equals another only if both have the same bytes.
///
/// Swift's `String` takes canonically equivalent texts for equal (Unicode Standard Annex 15): "é" as
/// one scalar, and as an "e" with an accent behind it, are one key of a dictionary. JSON, SQLite and
/// other programs tell them apart, so what clients named is compared and ordered as this.
package struct ExactText: Hashable, Comparable, Sendable, ExpressibleByStringLiteral {
    package let text: String

    package init(_ text: some StringProtocol) { self.text = String(text) }
    package init(stringLiteral text: String) { self.text = text }

    package static func == (a: ExactText, b: ExactText) -> Bool {
        a.text.utf8.elementsEqual(b.text.utf8)
    }

    package static func < (a: ExactText, b: ExactText) -> Bool {
        a.text.utf8.lexicographicallyPrecedes(b.text.utf8)
    }

    package func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        hasher.combine(UInt8.max)  // No byte of UTF-8, so that a list has one meaning.
    }
}

extension StringProtocol where UTF8View.SubSequence == Substring.UTF8View {
    /// What stands between the bytes that are `separator`, which is ASCII; empty parts too.
    ///
    /// `split` goes by what people see as a character, to which a comma with an accent behind it is
    /// no comma.
    /// - Parameter most: parts at the most; the last one then holds the rest.
    package func parts(by separator: Unicode.Scalar, most: Int = .max) -> [Substring] {
        utf8.split(
            separator: UInt8(ascii: separator), maxSplits: most - 1,
            omittingEmptySubsequences: false
        ).map { Substring($0) }
    }
}
