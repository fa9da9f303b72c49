/// The words and marks of an SQL text, as far as its structure needs them (sqlite.org/lang.html).
struct SQLTokens: Sequence, IteratorProtocol {
    enum Token: Equatable {
        /// A keyword or a name, quoted or not, or a text, for SQLite takes some texts for names. In
        /// lower case.
        case name(String)
        /// A parameter, with the mark before its name.
        case parameter(String)
        case mark(UInt8)
    }

    private let bytes: [UInt8]
    private var index = 0
    /// The byte at which the last token begins.
    private(set) var start = 0
    /// The last token is a name in quotation marks, so no keyword.
    private(set) var isQuoted = false
    /// Comments of the form `-- …` so far, without their two dashes.
    private(set) var lineComments: [Range<Int>] = []

    init(_ sql: String) { bytes = Array(sql.utf8) }

    mutating func next() -> Token? {
        skipSpace()
        start = index
        isQuoted = false
        guard index < bytes.count else { return nil }
        let byte = bytes[index]
        switch byte {
        case UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "`"):
            return .name(quoted(until: byte, doubled: true))
        case UInt8(ascii: "["): return .name(quoted(until: UInt8(ascii: "]"), doubled: false))
        case UInt8(ascii: ":"), UInt8(ascii: "@"), UInt8(ascii: "$"), UInt8(ascii: "#"):
            return .parameter(parameter())
        case UInt8(ascii: "?"):
            index += 1
            while index < bytes.count, (0x30...0x39).contains(bytes[index]) { index += 1 }
            return .parameter(text(start..<index))
        case let byte where SQLTokens.isWord(byte): return .name(word().lowercased())
        default:
            index += 1
            return .mark(byte)
        }
    }

    private mutating func skipSpace() {
        while index < bytes.count {
            if bytes[index...].starts(with: "--".utf8) {
                let end = bytes[index...].firstIndex(of: 0x0A) ?? bytes.count
                lineComments.append((index + 2)..<end)
                index = end
            } else if bytes[index...].starts(with: "/*".utf8) {
                index += 2
                while index < bytes.count, !bytes[index...].starts(with: "*/".utf8) { index += 1 }
                index = Swift.min(index + 2, bytes.count)
            } else if SQLTokens.isSpace(bytes[index]) {
                index += 1
            } else if bytes[index...].starts(with: SQLTokens.byteOrderMark) {
                index += SQLTokens.byteOrderMark.count
            } else {
                return
            }
        }
    }

    /// SQLite takes U+FEFF for space where a token may begin.
    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

    /// `:name`, `$name::name(anything but space)`: the last as Tcl has them.
    private mutating func parameter() -> String {
        index += 1
        var length = 0
        while index < bytes.count {
            if SQLTokens.isWord(bytes[index]) {
                length += 1
                index += 1
            } else if bytes[index...].starts(with: "::".utf8) {
                index += 2
            } else {
                break
            }
        }
        if length > 0, index < bytes.count, bytes[index] == UInt8(ascii: "(") {
            while index < bytes.count, !SQLTokens.isSpace(bytes[index]) {
                index += 1
                if bytes[index - 1] == UInt8(ascii: ")") { break }
            }
        }
        return text(start..<index)
    }

    private func text(_ range: Range<Int>) -> String {
        String(decoding: bytes[range], as: UTF8.self)
    }

    private mutating func word() -> String {
        let start = index
        while index < bytes.count, SQLTokens.isWord(bytes[index]) { index += 1 }
        return text(start..<index)
    }

    private mutating func quoted(until end: UInt8, doubled: Bool) -> String {
        index += 1
        isQuoted = true
        var text: [UInt8] = []
        while index < bytes.count {
            if bytes[index] == end {
                index += 1
                guard doubled, index < bytes.count, bytes[index] == end else { break }
            }
            text.append(bytes[index])
            index += 1
        }
        return String(decoding: text, as: UTF8.self).lowercased()
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"), UInt8(ascii: "$"), 0x80...:
            true
        default: false
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0D).contains(byte)
    }
}
